create or replace function feature.find_islands() returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
    c_minute constant interval := interval '1 minute';
    v_reach constant record := feature.reach();
begin
    -- Windows read the closes of other bars: where a close changed, later bars can change too.
    create temp table moved on commit drop as
    select
        c.tenant_id,
        c.symbol,
        c.bucket,
        c.cause_rank,
        greatest(
            coalesce(f.next_bucket + v_reach.minutes * c_minute, 'infinity'),
            coalesce(f.last_bucket, 'infinity')
        ) as reached_to,
        f.next_bucket is not null as is_followed
    from changed as c
    left join own as o on c.series_no = o.series_no
    cross join lateral (
        select
            min(later.bucket) as next_bucket,
            max(later.bucket) filter (where later.place = v_reach.bars + 1) as last_bucket
        from (
            select
                d.bucket,
                row_number() over (order by d.bucket) as place
            from (
                select distinct on (l.bucket)
                    l.bucket,
                    l.close
                from feature.log as l
                where l.tenant_id = c.tenant_id and l.symbol = c.symbol and l.bucket > c.bucket
                order by l.bucket asc, l.known_at desc
            ) as d
            where d.close is not null
            order by d.bucket
            limit v_reach.bars + 1
        ) as later
    ) as f
    where o.close is distinct from (c.version).close or c.bars_before;
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
'Makes the temporary tables moved, the bars of changed whose close is another than their last '
'version''s, each with the last bar that a window brings that to (reached_to) and whether there '
'are later ones (is_followed); and island: per series the stretches that these reaches cover, each '
'with its number (series_no), reached_from and reached_to. Step of feature.publish().';
