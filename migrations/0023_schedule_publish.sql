-- depends: 0019_create_publish
-- purpose: publishes every 30 seconds
-- lock: none
set local role market_owner;

create procedure feature.publish_job(p_job_id integer, p_config jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    call feature.publish();
end
$$;
revoke all on procedure feature.publish_job(integer, jsonb) from public;
comment on procedure feature.publish_job(integer, jsonb) is -- noqa: LT01
'feature.publish() in the form that TimescaleDB''s scheduler calls.';

do $$
declare
    v_ts constant text := (
        select quote_ident(n.nspname)
        from pg_extension as e
        inner join pg_namespace as n on e.extnamespace = n.oid
        where e.extname = 'timescaledb'
    );
begin
    -- the contract's fields are due 30 s after the bar's close at the earliest
    execute format(
        'select %s.add_job(''feature.publish_job'', interval ''30 seconds'')', v_ts
    );
end
$$;
