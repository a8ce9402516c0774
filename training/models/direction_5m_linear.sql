-- The label of direction_5m: whether the close five minutes later is higher, 1 or 0. Both closes
-- are as known at their moment. NULL: not known yet, or no newer bar by then.
with asked as (
    select
        a.symbol,
        a.as_of,
        a.as_of + interval '5 minutes' as later_at,
        a.place
    from unnest($1::text[], $2::timestamptz[]) with ordinality as a (symbol, as_of, place)
),

known as (
    select
        coalesce(array_agg(a.symbol order by a.place), '{}') as symbols,
        coalesce(array_agg(a.as_of order by a.place), '{}') as as_ofs,
        coalesce(array_agg(a.later_at order by a.place), '{}') as later_ats,
        array_agg(a.place order by a.place) as places
    from asked as a
    where a.later_at <= (select c.published_at from feature.clock as c)
),

compared as (
    select
        k.places[n.ordinality] as place,
        case when l.bucket > n.bucket then (l.close > n.close)::integer end as value
    from known as k
    cross join
        lateral public.feature_pit_snapshot(k.symbols, k.as_ofs, p_tenant_id => $3::integer)
        with ordinality as n
    cross join
        lateral public.feature_pit_snapshot(k.symbols, k.later_ats, p_tenant_id => $3::integer)
        with ordinality as l
    where n.ordinality = l.ordinality
)

select
    a.place,
    c.value::double precision as value,
    a.later_at as known_at
from asked as a
left join compared as c on a.place = c.place
order by a.place
