-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_query}(
    p_as_of timestamptz[], p_oldest interval, p_shortest interval, p_longest interval
) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    -- as long as a chunk of feature.{name log}, and cut where they are
    c_slice constant interval := interval '{chunk}';
    c_origin constant timestamptz := timestamptz '1970-01-01 00:00:00+00';
    c_pair constant text := $q$
        select
            p.place,
            p.symbol,
            p.as_of,
            least(coalesce(p.known_as_of, p.as_of), $5) as known_as_of,
            t.tenant_id,
            c.last_bucket,
            feature.bar_key(t.tenant_id, p.symbol, c.last_bucket) as key
        from unnest($1, $2, $3) with ordinality as p (symbol, as_of, known_as_of, place)
        left join feature.series as s on $4 is null and p.symbol = s.symbol
        cross join lateral (select coalesce($4, s.tenant_id) as tenant_id) as t
        cross join lateral (select {begins p.as_of} as last_bucket) as c
        -- neighbours in the index one after the other
        order by key
    $q$;
    -- A bar that looks too old may be so only by the clock: count the hours its market traded. By a
    -- calendar that has no sessions it would never age.
    c_age constant text := $q$
        select
            case
                when c.calendar_id is null then a.as_of - a.closes_at
                else (
                    select
                        coalesce(
                            sum(least(a.as_of, s.closes_at) - greatest(a.closes_at, s.opens_at)),
                            interval '0'
                        )
                    from unnest(
                        c.opens[r.first:r.last],
                        c.closes[r.first:r.last]
                    ) as s (opens_at, closes_at)
                    where a.as_of > s.opens_at and a.closes_at < s.closes_at
                )
            end as age
        from (
            -- younger than any maximum: it has no row here
            select where a.closes_at < a.as_of - %1$L::interval
        ) as b
        left join (
            market.instrument as i inner join session as c on i.calendar_id = c.calendar_id
        ) on i.symbol = a.symbol
        cross join lateral (
            select
                1 + width_bucket(a.closes_at, c.ends) as first,
                width_bucket(a.as_of, c.opens) as last
        ) as r
    $q$;
    v_branches text;
    v_firsts timestamptz[];
    v_lasts timestamptz[];
begin
    select
        string_agg(feature.{name pit_branch}(s.starts, c_slice, p_oldest), ' union all '),
        array_agg(s.first),
        array_agg(s.last)
    into v_branches, v_firsts, v_lasts
    from (
        select
            date_bin(c_slice, a.moment, c_origin) as starts,
            min(a.moment) as first,
            max(a.moment) as last
        from unnest(p_as_of) as a (moment)
        group by 1
    ) as s;

    return format(
        $q$
            with pair as materialized (%1$s),

            -- made when the first bar is looked at that is not fresh
            session as materialized (
                select s.* from feature.pit_sessions(%3$L, %4$L, %5$L) as s
            )

            select
                a.symbol,
                a.as_of,
                a.known_as_of,
                case when t.age > %7$L then null else a.bucket end,
                case when t.age > %7$L then null else a.known_at end,
                { case when t.age > $6[%3$s] then null else a.%1$I end },
                coalesce(t.age > %6$L, a.bucket is null)
            from (%2$s) as a
            left join lateral (%8$s) as t on true
            order by a.place
        $q$,
        c_pair, v_branches, v_firsts, v_lasts, p_oldest, p_shortest, p_longest,
        format(c_age, p_shortest)
    );
end
$$;
revoke all on function feature.{name pit_query}(timestamptz[], interval, interval, interval) from public;
comment on function feature.{name pit_query}(timestamptz[], interval, interval, interval) is
'The statement that answers public.{prefix}_pit_snapshot(), without its checks. p_as_of: the '
'moments, from which it takes the chunks to read; p_oldest: bars that start longer before as_of '
'are not looked for; p_shortest, p_longest: of the maxima of market.contract. Its parameters: '
'p_symbols, p_as_of, p_known_as_of, p_tenant_id, the last publish, the maxima in the '
'contract''s order. One row per element, in order. Where several tenants have a symbol it gives '
'a row of each: feature.check_names() comes first.';
$sql$);
