-- depends: functions/feature/island_bars functions/feature/published_of functions/feature/read_list
--   functions/feature/sets_read
create or replace function feature.collect_read_bars(p_set text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    v_from_set record;
begin
    for v_from_set in
        select o.*
        from unnest(feature.sets_read(p_set)) as s (name)
        cross join lateral feature.published_of(s.name) as o
    loop
        -- as this publish has left them
        execute format(
            $q$
                create temp table %1$I on commit drop as
                select
                    i.series_no,
                    i.symbol,
                    b.bucket%2$s
                from island as i
                cross join lateral (%3$s) as b
                where b.is_there
                order by 1, 3
            $q$,
            'window_bar_' || v_from_set.feature_set,
            feature.read_list(p_set, v_from_set.feature_set, ', b.%1$I'),
            feature.island_bars(
                v_from_set.log, v_from_set.always,
                feature.read_list(p_set, v_from_set.feature_set, ', l.%1$I'), '$2 + 1'
            )
        ) using c_set.minutes, c_set.bars;
        execute format('analyze %I', 'window_bar_' || v_from_set.feature_set);
    end loop;
end
$$;
revoke all on function feature.collect_read_bars(text) from public;
comment on function feature.collect_read_bars(text) is
'Makes the temporary tables window_bar_<set>: of each other set whose fields windows of the set '
'p_set read, these fields of each island''s bars and of as many before it. Step of '
'feature.collect_island_bars().';
