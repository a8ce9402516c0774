-- depends: functions/feature/hold_rebuild
create or replace function feature.await_snapshots(p_run integer, p_older text[]) returns text[]
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_longest constant interval := interval '5 seconds';
    c_since constant timestamptz := clock_timestamp();
    v_older text[] := coalesce(p_older, array(
        select l.virtualtransaction
        from pg_locks as l
        inner join pg_stat_activity as a on l.pid = a.pid
        where
            l.locktype = 'virtualxid'
            and l.pid <> pg_backend_pid()
            and a.backend_xmin is not null
            and a.datname = current_database()
    ));
    v_pids text;
begin
    perform feature.hold_rebuild(p_run);
    loop
        select
            coalesce(array_agg(l.virtualtransaction), array[]::text[]),
            string_agg(l.pid::text, ', ')
        into strict v_older, v_pids
        from pg_locks as l
        where l.locktype = 'virtualxid' and l.granted and l.virtualtransaction = any(v_older);
        exit when v_pids is null or clock_timestamp() >= c_since + c_longest;
        perform pg_sleep(0.01);
    end loop;
    if v_pids is not null and p_older is null then
        raise notice 'waits for transactions that began before it was built: process %', v_pids
            using hint = 'pg_stat_activity says what they do. pg_terminate_backend() ends one.';
    end if;
    update feature.rebuild_run set stepped_at = clock_timestamp();
    return v_older;
end
$$;
revoke all on function feature.await_snapshots(integer, text[]) from public;
grant execute on function feature.await_snapshots(integer, text[]) to market_operator;
comment on function feature.await_snapshots(integer, text[]) is
'Waits, five seconds at most, until the transactions p_older have ended, NULL: all that have a '
'snapshot now, and returns those that have not. Such a one would find the new logs by name, and '
'miss what was written into them since it began. p_run: the call of feature.rebuild(), whose step '
'it is.';
