create or replace function api.publishing(
    out published_at timestamptz, out failing_jobs bigint
)
language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
    select
        c.published_at,
        (select count(*) from feature.failing_jobs()) as failing_jobs
    from feature.clock as c
$$;
revoke all on function api.publishing() from public;
grant usage on schema api to market_ingest;
grant execute on function api.publishing() to market_ingest, market_pool, market_reader;
comment on function api.publishing() is
'Whether features go on being published: the stamp of the last publish (published_at), and of how '
'many scheduled jobs the last run failed (failing_jobs). What the processes'' metrics say, and no '
'tenant''s.';
