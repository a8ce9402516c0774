-- depends: 0019_create_publish
-- purpose: publishes every 30 seconds; old versions become columnar
-- lock: share update exclusive on feature.log for an instant
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
    -- A tenth of the size, but four times the time of a point-in-time read (bench/pit): what is read
    -- most stays in the row store. There is no retention: an answer given once can be given again.
    execute format('call %s.remove_columnstore_policy(''feature.log'', if_exists => true)', v_ts);
    execute format(
        'call %s.add_columnstore_policy(''feature.log'', after => interval ''182 days'')', v_ts
    );
end
$$;
