-- depends: functions/market/staggered_start functions/market/timescale_schema
create or replace procedure model.note_labels_job(p_job_id integer, p_config jsonb)
language plpgsql
-- no set clause: what it calls commits
as $$
declare
    v_labels bigint;
begin
    call model.note_labels(v_labels);
end
$$;
revoke all on procedure model.note_labels_job(integer, jsonb) from public;
comment on procedure model.note_labels_job(integer, jsonb) is -- noqa: LT01
'model.note_labels() in the form that TimescaleDB''s scheduler calls.';

do $$
declare
    v_ts constant text := market.timescale_schema();
begin
    if exists (
        select from timescaledb_information.jobs as j
        where j.proc_schema = 'model' and j.proc_name = 'note_labels_job'
    ) then
        return;
    end if;
    -- Each minute a bar closes whose label is due. By default a job has no longest time: the SQL of
    -- a label that never ends would be the last that is asked for.
    execute format(
        'select %1$s.alter_job('
        '%1$s.add_job(''model.note_labels_job'', interval ''1 minute'', initial_start => %2$L),'
        ' max_runtime => interval ''10 minutes'', retry_period => interval ''1 minute'')',
        v_ts, market.staggered_start('model.note_labels_job', interval '1 minute')
    );
end
$$;
