-- loses: nothing; the scheduled publish fails again
set local role market_owner;

create or replace procedure feature.publish_job(p_job_id integer, p_config jsonb)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    call feature.publish();
end
$$;
