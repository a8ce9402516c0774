-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_branch}(
    p_starts timestamptz, p_length interval, p_any text, p_shortest interval,
    p_log text default null
) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    -- nearly always one of the last bars holds the answer
    c_bars constant integer := 4;
    c_bar constant text := $q$
        feature.bar_key(l.tenant_id, l.symbol, l.bucket) = p.key - %3$s
        and l.known_at <= p.known_as_of
        and l.tenant_id = p.tenant_id
        and l.symbol = p.symbol
        order by l.known_at desc
    $q$;
    -- The columnstore has no index but that of its segments, and sessions are few and may begin in
    -- the middle of a minute.
    c_last constant text := $q$
        l.tenant_id = p.tenant_id
        and l.symbol = p.symbol
        and l.known_at <= p.known_as_of
        and {closed l p.as_of}
        and l.bucket > p.as_of - interval '{last}'
        and l.bucket >= %1$L
        and l.bucket < %2$L
        order by l.bucket desc, l.known_at desc
    $q$;
    -- a bar that has gone is no bar, and one that looks too old may be so only by the clock
    c_fresh constant text := $q$
        select n.bucket, n.known_at, { n.%I }, false as is_stale,
            {made_by n} as made_by
        from (select l.* from %3$s as l where %1$s limit 1) as n
        where not ({gone n}) and {ends n} >= p.as_of - %2$L::interval
        union all
    $q$;
    c_branch constant text := $q$
        select
            p.place, p.symbol, p.as_of, p.known_as_of, n.bucket, n.known_at, { n.%I }, n.is_stale,
            n.made_by
        from pair as p
        left join lateral (
            %1$s
            -- looked for where the others have found none: the limit ends it there
            %2$s
            limit 1
        ) as n on true
        where p.as_of >= %3$L and p.as_of < %4$L
    $q$;
    v_ends constant timestamptz := p_starts + p_length;
    -- by its own name, where there is one that has the index: planned sooner
    v_chunk constant text := (
        select case
            when p_log is null and {keyed} and count(*) = 1 and not bool_or(c.is_compressed)
                then min(format('%I.%I', c.chunk_schema, c.chunk_name))
        end
        from timescaledb_information.chunks as c
        where
            c.hypertable_schema = 'feature'
            and c.hypertable_name = '{name log}'
            and c.range_start < v_ends
            and c.range_end > p_starts
    );
begin
    return (
        select format(
            c_branch,
            string_agg(
                format(
                    c_fresh, b.condition, p_shortest,
                    coalesce(p_log, v_chunk, 'feature.{name log}')
                ), ''
                order by b.place
            ),
            format(p_any, p_starts, v_ends), p_starts, v_ends
        )
        from (
            select
                i.place,
                format(
                    case when v_chunk is null then c_last else c_bar end,
                    p_starts, v_ends, i.place * {step}
                ) as condition
            from generate_series(0, case when v_chunk is null then 0 else c_bars - 1 end) as i (place)
        ) as b
    );
end
$$;
revoke all on function feature.{name pit_branch}(timestamptz, interval, text, interval, text)
from public;
comment on function feature.{name pit_branch}(timestamptz, interval, text, interval, text) is
'The part of feature.{name pit_query}() that answers the pairs of one chunk, each with the version '
'that it asks for or none. p_starts, p_length: the chunk; p_any: the query that finds it whatever '
'its age, for format() with start and end of the chunk; p_shortest: of the maxima of '
'market.contract, bars that are younger need no look at the hours that their market traded; p_log: '
'as there.';
$sql$);
