create or replace function feature.failing_jobs() returns table (
    job_id integer, job text, failed_at timestamptz, error text
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        s.job_id,
        case
            when s.hypertable_name is null then format('%I.%I', j.proc_schema, j.proc_name)
            else format('%I of %I.%I', j.proc_name, s.hypertable_schema, s.hypertable_name)
        end as job,
        e.finish_time as failed_at,
        e.err_message as error
    from timescaledb_information.job_stats as s
    inner join timescaledb_information.jobs as j on s.job_id = j.job_id
    left join lateral (
        select
            r.finish_time,
            r.err_message
        from timescaledb_information.job_errors as r
        where r.job_id = s.job_id
        order by r.start_time desc
        limit 1
    ) as e on true
    where j.scheduled and s.last_run_status = 'Failed'
    order by s.job_id;
end
$$;
revoke all on function feature.failing_jobs() from public;
grant execute on function feature.failing_jobs() to market_reader;
comment on function feature.failing_jobs() is
'One row per scheduled job of TimescaleDB whose last run failed: job_id, its name (job), when that '
'run ended (failed_at) and why (error). failed_at and error are NULL when job_errors has been '
'emptied. No rows: all is well. make status shows them.';
