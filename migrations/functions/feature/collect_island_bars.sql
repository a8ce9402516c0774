-- depends: functions/feature/collect_read_bars functions/feature/island_bars
create or replace function feature.collect_island_bars(p_set text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    -- windows that read no own field want none of earlier bars
    c_has_inputs constant boolean := feature.published_list(p_set, 'input', '%s') <> '';
    -- one more for the first return, and as many as can go with this publish
    c_limit constant text := '$2 + (select count(*) from changed as c '
        'where c.tenant_id = i.tenant_id and c.symbol = i.symbol)';
begin
    -- What windows read of its bars and of those before it that theirs reach. Where that is one
    -- field: select ..., b.x from ... (select ..., l.x is not null as is_there, l.x ...) as b
    execute format(
        $q$
            create temp table window_bar on commit drop as
            select
                i.series_no,
                i.symbol,
                b.bucket%3$s,
                b.bucket >= i.reached_from as is_wanted
            from island as i
            cross join lateral (%1$s) as b
            where
                b.is_there
                and not exists (
                    select from changed as c
                    where c.tenant_id = i.tenant_id and c.symbol = i.symbol and c.bucket = b.bucket
                )
            union all
            select
                i.series_no,
                i.symbol,
                o.bucket%2$s,
                o.bucket >= i.reached_from
            from island as i
            inner join changed as c on i.tenant_id = c.tenant_id and i.symbol = c.symbol
            inner join own as o on c.series_no = o.series_no
            where o.bucket <= i.reached_to
            order by 1, 3
        $q$,
        feature.island_bars(
            c_set.log, c_set.always, feature.published_list(p_set, 'input', ', l.%I'), c_limit
        ),
        feature.published_list(p_set, 'input', ', o.%I'),
        feature.published_list(p_set, 'input', ', b.%I')
    ) using c_set.minutes, case when c_has_inputs then c_set.bars + 1 else 1 end;
    analyze window_bar;

    perform feature.collect_read_bars(p_set);
    create temp table window_output on commit drop as
    select
        b.series_no,
        b.bucket
    from window_bar as b
    where
        b.is_wanted
        -- the log can have later ones where somebody has put feature.clock back
        and b.bucket <= current_setting('feature.moment')::timestamp with time zone
        - coalesce(c_set.span, interval '1 minute');
    analyze window_output;
end
$$;
revoke all on function feature.collect_island_bars(text) from public;
comment on function feature.collect_island_bars(text) is
'Makes the temporary tables window_bar, the own fields that windows of the set p_set read of '
'each island''s bars and of as many before it, as they stand after this publish, by series_no '
'and bucket; window_bar_<set>, the same of each other set that they read; and window_output, '
'those of the islands themselves (is_wanted): what feature.window_value() reads. Step of '
'feature.publish_set().';
