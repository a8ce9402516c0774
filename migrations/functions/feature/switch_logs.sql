-- depends: functions/feature/await_open functions/feature/hold_rebuild
--   functions/feature/lock_logs functions/feature/refuse_other_columns
--   functions/feature/stop_clock functions/feature/switch_log
create or replace function feature.switch_logs(p_run integer) returns text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
as $$
declare
    c_run constant feature.rebuild_run := feature.hold_rebuild(p_run);
    v_clock feature.clock;
    v_set text;
    v_generation integer;
begin
    perform feature.stop_clock();
    select c.* into strict v_clock from feature.clock as c;
    if exists (select from feature.rebuild_change) then
        return 'changed';
    elsif not feature.lock_logs(c_run.feature_sets) then
        return 'busy';
    end if;
    foreach v_set in array c_run.feature_sets loop
        perform feature.refuse_other_columns(v_set);
        select max(g.generation)
        into strict v_generation
        from feature.generation as g
        where g.feature_set = v_set;
        perform feature.switch_log(v_set, v_generation);
        insert into feature.generation (feature_set, generation, begun_at, switched_at, reason)
        values (v_set, v_generation + 1, c_run.begun_at, v_clock.published_at, c_run.reason);
    end loop;
    perform set_config('feature.rebuild', '', true);
    -- what is open has minutes that no publish has looked at
    foreach v_set in array c_run.feature_sets loop
        perform feature.await_open(v_set);
    end loop;
    -- what waited for a backfill is built; not of series that keep what they had
    insert into feature.series (symbol, tenant_id)
    select s.symbol, s.tenant_id
    from feature.rebuild_series as s
    where s.feature_set = 'market_1m'
    on conflict do nothing;
    if 'market_1m' = any(c_run.feature_sets) then
        delete from feature.waiting_history as w
        where not exists (
            select from feature.rebuild_series as s
            where
                s.feature_set = 'market_1m'
                and s.tenant_id = w.tenant_id
                and s.symbol = w.symbol
                and s.carried_to is not null
        );
        delete from feature.waiting_range as w
        where w.feature_set = any(c_run.feature_sets) and not exists (
            select from feature.rebuild_series as s
            where s.tenant_id = w.tenant_id and s.symbol = w.symbol and s.carried_to is not null
        );
    end if;
    delete from feature.waiting_field as w
    where w.feature_set = any(c_run.feature_sets) and not exists (
        select from feature.rebuild_series as s
        where
            s.feature_set = w.feature_set
            and s.tenant_id = w.tenant_id
            and s.symbol = w.symbol
            and s.carried_to is not null
    );
    delete from feature.rebuild_series;
    delete from feature.rebuild_run;
    return 'done';
end
$$;
revoke all on function feature.switch_logs(integer) from public;
grant execute on function feature.switch_logs(integer) to market_operator;
comment on function feature.switch_logs(integer) is
'Puts the generation that the call p_run of feature.rebuild() has made in place of the one in use, '
'in all its sets at once, and notes it in feature.generation: done. Or it changes nothing: '
'changed, where a publish has changed something that it has not; busy, where the logs are being '
'read without a pause. Last step of feature.rebuild().';
