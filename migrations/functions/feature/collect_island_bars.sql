create or replace function feature.collect_island_bars() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_reach constant record := feature.reach();
begin
    -- Closes of its bars and of those before it that their windows read.
    create temp table window_bar on commit drop as
    select
        i.series_no,
        i.symbol,
        b.bucket,
        b.close,
        b.bucket >= i.reached_from as is_wanted
    from island as i
    cross join lateral (
        (
            select distinct on (l.bucket)
                l.bucket,
                l.close
            from feature.log as l
            where
                l.tenant_id = i.tenant_id
                and l.symbol = i.symbol
                and l.bucket > i.reached_from - v_reach.minutes * interval '1 minute'
                and l.bucket <= i.reached_to
            order by l.bucket desc, l.known_at desc
        )
        union all
        (
            select
                e.bucket,
                e.close
            from (
                select distinct on (l.bucket)
                    l.bucket,
                    l.close
                from feature.log as l
                where
                    l.tenant_id = i.tenant_id
                    and l.symbol = i.symbol
                    and l.bucket <= i.reached_from - v_reach.minutes * interval '1 minute'
                order by l.bucket desc, l.known_at desc
            ) as e
            where e.close is not null
            order by e.bucket desc
            -- one more for the first return, and as many as can go with this publish
            limit v_reach.bars + 1 + (
                select count(*)
                from changed as c
                where c.tenant_id = i.tenant_id and c.symbol = i.symbol
            )
        )
    ) as b
    where
        b.close is not null
        and not exists (
            select from changed as c
            where c.tenant_id = i.tenant_id and c.symbol = i.symbol and c.bucket = b.bucket
        )
    union all
    select
        i.series_no,
        i.symbol,
        o.bucket,
        o.close,
        o.bucket >= i.reached_from
    from island as i
    inner join changed as c on i.tenant_id = c.tenant_id and i.symbol = c.symbol
    inner join own as o on c.series_no = o.series_no
    where o.bucket <= i.reached_to
    order by 1, 3;

    create temp table window_output on commit drop as
    select
        b.series_no,
        b.bucket
    from window_bar as b
    where b.is_wanted;
    analyze window_output;
end
$$;
revoke all on function feature.collect_island_bars() from public;
comment on function feature.collect_island_bars() is
'Makes the temporary tables window_bar, the closes of each island''s bars and of as many before it '
'as windows read, as they stand after this publish, by series_no and bucket; and window_output, '
'those of the islands themselves (is_wanted): what feature.window_value() reads. Step of '
'feature.publish().';
