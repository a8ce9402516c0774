create or replace function feature.contract_limits(
    p_set text, p_known_from timestamptz, p_known_to timestamptz
) returns table (
    known_at timestamptz, known_to timestamptz, maxima interval[], shortest interval,
    longest interval
)
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    with version as materialized (
        select
            v.field,
            v.max_staleness_s,
            v.is_gone,
            v.known_at,
            lead(v.known_at, 1, 'infinity') over by_field as known_to,
            row_number() over by_field as place
        from market.contract_version as v
        where v.feature_set = p_set
        window by_field as (partition by v.field order by v.known_at)
    ),

    epoch as (
        select
            d.known_at,
            lead(d.known_at, 1, 'infinity') over (order by d.known_at) as known_to
        from (
            select distinct greatest(v.known_at, p_known_from) as known_at
            from version as v
            where v.known_at <= p_known_to
            union
            select p_known_from
        ) as d
    )

    select
        e.known_at,
        e.known_to,
        array(
            select make_interval(secs => coalesce(
                (
                    select v.max_staleness_s
                    from version as v
                    where v.field = c.field and v.known_at <= e.known_at and not v.is_gone
                    order by v.known_at desc
                    limit 1
                ),
                -- a field that came later is judged as it was when it came
                (select v.max_staleness_s from version as v where v.field = c.field and v.place = 1)
            ))
            from market.contract as c
            where c.feature_set = p_set
            order by c.ordinal
        ),
        make_interval(secs => s.shortest),
        make_interval(secs => s.longest)
    from epoch as e
    cross join lateral (
        select
            coalesce(min(v.max_staleness_s) filter (where v.is_known), min(v.max_staleness_s))
                as shortest,
            coalesce(max(v.max_staleness_s) filter (where v.is_known), max(v.max_staleness_s))
                as longest
        from (
            select
                w.*,
                w.known_at <= e.known_at and w.known_to > e.known_at and not w.is_gone as is_known
            from version as w
        ) as v
    ) as s
    order by e.known_at
$$;
revoke all on function feature.contract_limits(text, timestamptz, timestamptz) from public;
comment on function feature.contract_limits(text, timestamptz, timestamptz) is
'How old the fields of the set p_set may be, as the contract was known from p_known_from to '
'p_known_to, one row for each time between two changes of it: known_at, inclusive, to known_to, '
'exclusive. maxima: of the fields that the set has now, in the contract''s order; shortest and '
'longest of the fields that it had then.';
