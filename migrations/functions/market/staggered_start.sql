create or replace function market.staggered_start(p_job text, p_every interval)
returns timestamptz
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    with job as (
        select
            extract(epoch from least(p_every, interval '1 hour')) as every_s,
            extract(epoch from clock_timestamp()) as now_s,
            -- a share of the interval, from 0 to below 1
            ('x' || left(md5(current_database() || '/' || p_job), 8))::bit(32)::bigint
            / 4294967296.0 as share
    )

    select to_timestamp((floor(j.now_s / j.every_s - j.share) + 1 + j.share) * j.every_s)
    from job as j
$$;
revoke all on function market.staggered_start(text, interval) from public;
comment on function market.staggered_start(text, interval) is -- noqa: LT01
'When a job is to start first: a moment within p_every from now, an hour at most, so that jobs '
'that are made together do not all want a worker at the same instant. Its place in that interval '
'(the jitter) follows from the names of the job and of the database: the same at each call.';
