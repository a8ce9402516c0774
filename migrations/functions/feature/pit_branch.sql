-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_branch}(
    p_starts timestamptz, p_length interval, p_oldest interval
) returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
    -- nearly always the last few bars hold the answer
    c_last constant text := $q$
        feature.bar_key(l.tenant_id, l.symbol, l.bucket) <= p.key
        and feature.bar_key(l.tenant_id, l.symbol, l.bucket) > p.key - %3$s
        and l.known_at <= p.known_as_of
        and l.tenant_id = p.tenant_id
        and l.symbol = p.symbol
        and l.bucket <= p.last_bucket
        and l.bucket >= %1$L
        and l.bucket < %2$L
        order by feature.bar_key(l.tenant_id, l.symbol, l.bucket) desc, l.known_at desc
    $q$;
    -- The columnstore has no index but that of its segments, and sessions are few and may begin in
    -- the middle of a minute.
    c_last_without_key constant text := $q$
        l.tenant_id = p.tenant_id
        and l.symbol = p.symbol
        and l.known_at <= p.known_as_of
        and {closed l p.as_of}
        and l.bucket > p.as_of - interval '{last}'
        and l.bucket >= %1$L
        and l.bucket < %2$L
        order by l.bucket desc, l.known_at desc
    $q$;
    c_branch constant text := $q$
        select
            p.place, p.symbol, p.as_of, p.known_as_of, n.bucket, n.known_at, n.closes_at, { n.%I }
        from pair as p
        left join lateral (
            select n.bucket, n.known_at, {ends n} as closes_at, { n.%I }
            from (select l.* from feature.{name log} as l where %1$s limit 1) as n
            -- a bar that has gone is no bar
            where not ({gone n})
            union all
            -- looked for where the first has found none: the limit ends it there
            (
                select d.bucket, d.known_at, {ends d}, { d.%I }
                from (
                    select distinct on (l.bucket) l.*
                    from feature.{name log} as l
                    where
                        l.tenant_id = p.tenant_id
                        and l.symbol = p.symbol
                        and l.known_at <= p.known_as_of
                        and {closed l p.as_of}
                        and l.bucket > p.as_of - %2$L::interval
                        and l.bucket >= %3$L
                        and l.bucket < %4$L
                    order by l.bucket desc, l.known_at desc
                ) as d
                where not ({gone d})
                order by d.bucket desc
                limit 1
            )
            limit 1
        ) as n on true
        where p.as_of >= %5$L and p.as_of < %4$L
    $q$;
    v_ends constant timestamptz := p_starts + p_length;
    v_has_key constant boolean := {keyed} and not exists (
        select from timescaledb_information.chunks as c
        where
            c.hypertable_schema = 'feature'
            and c.hypertable_name = '{name log}'
            and c.is_compressed
            and c.range_start < v_ends
            and c.range_end > p_starts
    );
begin
    return format(
        c_branch,
        format(
            case when v_has_key then c_last else c_last_without_key end,
            p_starts, v_ends, extract(epoch from interval '{last}')::bigint / 60
        ),
        p_oldest, p_starts - p_oldest, v_ends, p_starts
    );
end
$$;
revoke all on function feature.{name pit_branch}(timestamptz, interval, interval) from public;
comment on function feature.{name pit_branch}(timestamptz, interval, interval) is
'The part of feature.{name pit_query}() that answers the pairs of one chunk, each with the version '
'that it asks for or none. p_starts, p_length: the chunk; p_oldest: bars that start longer '
'before as_of are not looked for.';
$sql$);
