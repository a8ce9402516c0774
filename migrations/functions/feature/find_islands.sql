create or replace function feature.find_islands(p_set text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    c_set constant record := feature.published_of(p_set);
    v_from_set text;
begin
    -- Where what windows read of a bar changed, or whether it is there, later bars can change too:
    -- row(o.x is not null, o.x) is distinct from row((c.version).x is not null, (c.version).x)
    execute format(
        $q$
            create temp table read_change on commit drop as
            select
                c.tenant_id,
                c.symbol,
                c.bucket,
                c.cause_rank
            from changed as c
            left join own as o on c.series_no = o.series_no
            where
                row(o.%1$I is not null%2$s) is distinct from row((c.version).%1$I is not null%3$s)
                or c.bars_before
        $q$,
        c_set.always, feature.published_list(p_set, 'input', ', o.%I'),
        feature.published_list(p_set, 'input', ', (c.version).%I')
    );
    -- other sets' fields, as this publish has just changed them
    foreach v_from_set in array feature.sets_read(p_set) loop
        execute format(
            $q$
                insert into read_change
                select n.tenant_id, n.symbol, n.bucket, n.cause_rank
                from %1$I as n
                where row(n.bucket%2$s) is distinct from row((n.version).bucket%3$s)
            $q$,
            'next_version_' || v_from_set, feature.read_list(p_set, v_from_set, ', n.%1$I'),
            feature.read_list(p_set, v_from_set, ', (n.version).%1$I')
        );
    end loop;

    execute format(
        $q$
            create temp table moved on commit drop as
            select
                c.*,
                greatest(
                    coalesce(f.next_bucket + $1 * interval '1 minute', 'infinity'),
                    coalesce(f.last_bucket, 'infinity')
                ) as reached_to,
                f.next_bucket is not null as is_followed
            from (
                select r.tenant_id, r.symbol, r.bucket, max(r.cause_rank) as cause_rank
                from read_change as r
                group by r.tenant_id, r.symbol, r.bucket
            ) as c
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
                        from %2$s as l
                        where l.tenant_id = c.tenant_id and l.symbol = c.symbol and l.bucket > c.bucket
                        order by l.bucket asc, l.known_at desc
                    ) as d
                    where d.is_there
                    order by d.bucket
                    limit $2 + 1
                ) as later
            ) as f
        $q$,
        c_set.always, c_set.log
    ) using c_set.minutes, c_set.bars;
    drop table pg_temp.read_change;
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
revoke all on function feature.find_islands(text) from public;
comment on function feature.find_islands(text) is
'Makes the temporary tables moved, the bars of which windows of the set p_set read something else '
'than their last versions have, of their own or of another set''s fields, each with the last bar '
'that a window brings that to (reached_to) and whether there are later ones (is_followed); and '
'island: per series the stretches that these reaches cover, each with its number (series_no), '
'reached_from and reached_to. Step of feature.publish_set().';
