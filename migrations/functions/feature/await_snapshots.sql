create or replace function feature.await_snapshots() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_longest constant interval := interval '5 seconds';
    c_since constant timestamptz := clock_timestamp();
    c_older constant text[] := array(
        select l.virtualtransaction
        from pg_locks as l
        where l.locktype = 'virtualxid' and l.pid <> pg_backend_pid()
    );
begin
    while clock_timestamp() < c_since + c_longest and exists (
        select from pg_locks as l
        where l.locktype = 'virtualxid' and l.virtualtransaction = any(c_older)
    ) loop
        perform pg_sleep(0.01);
    end loop;
end
$$;
revoke all on function feature.await_snapshots() from public;
grant execute on function feature.await_snapshots() to market_operator;
comment on function feature.await_snapshots() is
'Waits until the transactions that are running have ended, five seconds at most: such a one finds '
'the new logs by name, and does not see what was written into them since it began. Step of '
'feature.rebuild().';
