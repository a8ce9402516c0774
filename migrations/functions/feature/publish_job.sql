-- depends: functions/market/staggered_start functions/market/timescale_schema
create or replace procedure feature.publish_job(p_job_id integer, p_config jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_versions bigint;
begin
    -- PL/pgSQL, other than SQL, refuses a CALL that leaves an inout argument out
    call feature.publish(p_versions => v_versions);
end
$$;
revoke all on procedure feature.publish_job(integer, jsonb) from public;
comment on procedure feature.publish_job(integer, jsonb) is -- noqa: LT01
'feature.publish() in the form that TimescaleDB''s scheduler calls.';

do $$
declare
    v_ts constant text := market.timescale_schema();
begin
    if not exists (
        select from timescaledb_information.jobs as j
        where j.proc_schema = 'feature' and j.proc_name = 'publish_job'
    ) then
        execute format(
            'select %s.add_job(''feature.publish_job'', interval ''20 seconds'', initial_start => %L)',
            v_ts, market.staggered_start('feature.publish_job', interval '20 seconds')
        );
    end if;
    -- The contract's fields are due 30 s after the bar's close at the earliest: that leaves 10 s for
    -- the publish itself. By default a job that failed is tried again after 5 minutes. What an
    -- operator has set stays.
    execute format(
        'select %s.alter_job(j.job_id, schedule_interval => interval ''20 seconds'','
        ' retry_period => interval ''10 seconds'')'
        ' from timescaledb_information.jobs as j'
        ' where j.proc_schema = ''feature'' and j.proc_name = ''publish_job'''
        ' and j.schedule_interval in (interval ''20 seconds'', interval ''30 seconds'')'
        ' and j.retry_period = interval ''5 minutes''',
        v_ts
    );
end
$$;
