-- depends: functions/feature/collect_island_bars functions/feature/evaluate
--   functions/feature/evaluate_newest functions/feature/find_islands functions/feature/name_of
--   functions/feature/sets_read
create or replace function feature.evaluate_windows(p_set text) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    perform feature.find_islands(p_set);
    perform feature.evaluate_newest(p_set);
    if to_regclass('pg_temp.newest_value') is not null and not exists (select from island) then
        alter table pg_temp.newest_value rename to window_value;
    else
        perform feature.collect_island_bars(p_set);
        perform feature.evaluate(
            feature.name_of(p_set, 'window_value'), 'window_value',
            array['window_bar', 'window_output']
            || array(select 'window_bar_' || s from unnest(feature.sets_read(p_set)) as s),
            'select i.series_no, i.tenant_id, i.symbol from island as i'
        );
        if to_regclass('pg_temp.newest_value') is null then
            return;
        end if;
        insert into window_value select n.* from newest_value as n;
    end if;
    insert into island (series_no, tenant_id, symbol, reached_from, reached_to)
    select n.series_no, n.tenant_id, n.symbol, n.reached_from, n.reached_to
    from newest as n;
    analyze island, window_value;
end
$$;
revoke all on function feature.evaluate_windows(text) from public;
comment on function feature.evaluate_windows(text) is
'Makes the temporary tables moved and island of the set p_set (feature.find_islands()) and '
'window_value: the fields over windows of each bar that an island reaches, by its series_no and '
'bucket. Step of feature.publish_set().';
