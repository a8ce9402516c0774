-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_any}(
    p_oldest interval, p_shortest interval, p_longest interval, p_log text default null
) returns text
language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    -- A bar that looks too old may be so only by the clock: count the hours its market traded, as
    -- was known; what lies beyond the end of the calendar counts by the clock, as does all where
    -- the instrument had none.
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
                        + greatest(a.as_of - greatest(a.closes_at, c.horizon), interval '0')
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
        left join lateral (
            select v.calendar_id, v.is_gone
            from market.instrument_version as v
            where v.symbol = a.symbol and v.known_at <= a.known_as_of
            order by v.known_at desc
            limit 1
        ) as i on true
        left join session as c
            on
                i.calendar_id = c.calendar_id
                and not i.is_gone
                and a.known_as_of >= c.known_at
                and a.known_as_of < c.known_to
        cross join lateral (
            select
                1 + width_bucket(a.closes_at, c.ends) as first,
                width_bucket(a.as_of, c.opens) as last
        ) as r
    $q$;
    c_any constant text := $q$
        (
            select
                case when t.age > %3$L then null else a.bucket end,
                case when t.age > %3$L then null else a.known_at end,
                { case when t.age > $6[%3$s] then null else a.%1$I end },
                coalesce(t.age > %2$L, false),
                a.made_by
            from (
                select
                    p.symbol, p.as_of, p.known_as_of, d.bucket, d.known_at,
                    {ends d} as closes_at, { d.%I },
                    {made_by d} as made_by
                from (
                    select distinct on (l.bucket) l.*
                    from %5$s as l
                    where
                        l.tenant_id = p.tenant_id
                        and l.symbol = p.symbol
                        and l.known_at <= p.known_as_of
                        and {closed l p.as_of}
                        and l.bucket > p.as_of - %1$L::interval
                        and l.bucket >= %%1$L::timestamptz - %1$L::interval
                        and l.bucket < %%2$L
                    order by l.bucket desc, l.known_at desc
                ) as d
                where not ({gone d})
                order by d.bucket desc
                limit 1
            ) as a
            left join lateral (%4$s) as t on true
        )
    $q$;
begin
    return format(
        c_any, p_oldest, p_shortest, p_longest, format(c_age, p_shortest),
        coalesce(p_log, 'feature.{name log}')
    );
end
$$;
revoke all on function feature.{name pit_any}(interval, interval, interval, text) from public;
comment on function feature.{name pit_any}(interval, interval, interval, text) is
'The query that finds the version that a pair of feature.{name pit_query}() asks for whatever its '
'age, and judges that, for format() with start and end of a chunk. Arguments: as there.';
$sql$);
