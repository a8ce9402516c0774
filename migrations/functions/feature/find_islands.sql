create or replace function feature.find_islands() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    v_reach constant record := feature.reach();
    v_always constant text := feature.published_list('always', '%s');
begin
    -- Where what windows read of a bar changed, or whether it is there, later bars can change too:
    -- row(o.x is not null, o.x) is distinct from row((c.version).x is not null, (c.version).x)
    execute format(
        $q$
            create temp table moved on commit drop as
            select
                c.tenant_id,
                c.symbol,
                c.bucket,
                c.cause_rank,
                greatest(
                    coalesce(f.next_bucket + $1 * interval '1 minute', 'infinity'),
                    coalesce(f.last_bucket, 'infinity')
                ) as reached_to,
                f.next_bucket is not null as is_followed
            from changed as c
            left join own as o on c.series_no = o.series_no
            cross join lateral (
                select
                    min(later.bucket) as next_bucket,
                    max(later.bucket) filter (where later.place = $2 + 1) as last_bucket
                from (
                    select
                        d.bucket,
                        row_number() over (order by d.bucket) as place
                    from (
                        select distinct on (l.bucket)
                            l.bucket,
                            l.%1$I is not null as is_there
                        from feature.log as l
                        where l.tenant_id = c.tenant_id and l.symbol = c.symbol and l.bucket > c.bucket
                        order by l.bucket asc, l.known_at desc
                    ) as d
                    where d.is_there
                    order by d.bucket
                    limit $2 + 1
                ) as later
            ) as f
            where
                row(o.%1$I is not null%2$s) is distinct from row((c.version).%1$I is not null%3$s)
                or c.bars_before
        $q$,
        v_always, feature.published_list('input', ', o.%I'),
        feature.published_list('input', ', (c.version).%I')
    ) using v_reach.minutes, v_reach.bars;
    analyze moved;

    -- Overlapping reaches of one series are one island (gaps and islands).
    create temp table island on commit drop as
    with marked as (
        select
            m.*,
            m.bucket > max(m.reached_to) over (
                partition by m.tenant_id, m.symbol
                order by m.bucket
                rows between unbounded preceding and 1 preceding
            ) as is_new
        from moved as m
    ),

    numbered as (
        select
            m.*,
            count(*) filter (where m.is_new) over (
                partition by m.tenant_id, m.symbol order by m.bucket
            ) as place
        from marked as m
    )

    select
        row_number() over ()::integer as series_no,
        n.tenant_id,
        n.symbol,
        min(n.bucket) as reached_from,
        max(n.reached_to) as reached_to
    from numbered as n
    group by n.tenant_id, n.symbol, n.place;
    analyze island;
end
$$;
revoke all on function feature.find_islands() from public;
comment on function feature.find_islands() is
'Makes the temporary tables moved, the bars of changed of which windows read something else than '
'their last version has, each with the last bar that a window brings that to (reached_to) and '
'whether there are later ones (is_followed); and island: per series the stretches that these '
'reaches cover, each with its number (series_no), reached_from and reached_to. Step of '
'feature.publish().';
