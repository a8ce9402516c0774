-- depends: 0023_schedule_feature_jobs
-- purpose: the scheduled publish passes a variable for p_versions; without one each run failed
-- lock: none
set local role market_owner;

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
