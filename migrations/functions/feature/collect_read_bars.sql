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
                    b.bucket%3$s
                from island as i
                cross join lateral (
                    (
                        select distinct on (l.bucket)
                            l.bucket,
                            l.%4$I is not null as is_there%2$s
                        from %5$s as l
                        where
                            l.tenant_id = i.tenant_id
                            and l.symbol = i.symbol
                            and l.bucket > i.reached_from - $1 * interval '1 minute'
                            and l.bucket <= i.reached_to
                        order by l.bucket desc, l.known_at desc
                    )
                    union all
                    (
                        select e.*
                        from (
                            select distinct on (l.bucket)
                                l.bucket,
                                l.%4$I is not null as is_there%2$s
                            from %5$s as l
                            where
                                l.tenant_id = i.tenant_id
                                and l.symbol = i.symbol
                                and l.bucket <= i.reached_from - $1 * interval '1 minute'
                            order by l.bucket desc, l.known_at desc
                        ) as e
                        where e.is_there
                        order by e.bucket desc
                        limit $2 + 1
                    )
                ) as b
                where b.is_there
                order by 1, 3
            $q$,
            'window_bar_' || v_from_set.feature_set,
            feature.read_list(p_set, v_from_set.feature_set, ', l.%1$I'),
            feature.read_list(p_set, v_from_set.feature_set, ', b.%1$I'),
            v_from_set.always, v_from_set.log
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
