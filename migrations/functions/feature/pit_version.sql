-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_version}(
    p_symbols text[],
    p_as_of timestamptz[],
    p_known_as_of timestamptz[],
    p_tenant_id integer,
    p_oldest interval
) returns table (
    place bigint, symbol text, as_of timestamptz, known_as_of timestamptz, bucket timestamptz,
    known_at timestamptz, closes_at timestamptz, { %I %s }
)
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
-- Bounds known to the planner leave one chunk or two: read as plain tables these cost a third of
-- what choosing among chunks at each probe does (bench/pit).
set "timescaledb.enable_chunk_append" = off
set "timescaledb.enable_skipscan" = off
set jit = off
set work_mem = '64MB'
as $$
#variable_conflict use_column
declare
    -- as long as a chunk of feature.{name log}, and cut where they are
    c_slice constant interval := interval '{chunk}';
    c_origin constant timestamptz := timestamptz '1970-01-01 00:00:00+00';
    -- nearly always the last few minutes hold the bar
    c_last constant text := $q$
        select l.*
        from feature.{name log} as l
        where
            l.tenant_id = p.tenant_id
            and l.symbol = p.symbol
            and l.known_at <= p.known_as_of
            and {closed l p.as_of}
            and l.bucket > p.as_of - interval '{last}'
            and l.bucket >= %1$L
            and l.bucket < %2$L
        order by l.bucket desc, l.known_at desc
        limit 1
    $q$;
    c_earlier constant text := $q$
        select d.bucket, d.known_at, {ends d} as closes_at, { d.%I }
        from (
            select distinct on (l.bucket) l.*
            from feature.{name log} as l
            where
                l.tenant_id = p.tenant_id
                and l.symbol = p.symbol
                and l.known_at <= p.known_as_of
                and {closed l p.as_of}
                and l.bucket > p.as_of - interval %1$L
                and l.bucket >= %2$L
                and l.bucket < %3$L
            order by l.bucket desc, l.known_at desc
        ) as d
        where not ({gone d})
        order by d.bucket desc
        limit 1
    $q$;
    v_published_at timestamptz;
    v_slice record;
begin
    -- Nothing known by the last publish is still to be written.
    select c.published_at into strict v_published_at from feature.clock as c;

    for v_slice in
        select
            case when isfinite(p.as_of) then date_bin(c_slice, p.as_of, c_origin) else c_origin end
                as starts,
            array_agg(p.place order by p.symbol collate "C", p.as_of) as places,
            array_agg(p.symbol order by p.symbol collate "C", p.as_of) as symbols,
            array_agg(p.as_of order by p.symbol collate "C", p.as_of) as as_ofs,
            array_agg(
                least(coalesce(p.known_as_of, p.as_of), v_published_at)
                order by p.symbol collate "C", p.as_of
            ) as known_as_ofs,
            array_agg(
                coalesce(p_tenant_id, s.tenant_id) order by p.symbol collate "C", p.as_of
            ) as tenant_ids
        from unnest(p_symbols, p_as_of, p_known_as_of)
            with ordinality as p (symbol, as_of, known_as_of, place)
        left join feature.series as s on p_tenant_id is null and p.symbol = s.symbol
        group by 1
    loop
        return query execute format(
            $q$
                select
                    p.place, p.symbol, p.as_of, p.known_as_of, n.bucket, n.known_at, n.closes_at,
                    { n.%I }
                from unnest($1, $2, $3, $4, $5)
                    as p (place, symbol, as_of, known_as_of, tenant_id)
                left join lateral (
                    select n.bucket, n.known_at, {ends n} as closes_at, { n.%I }
                    from (%1$s) as n
                    -- a bar that has gone is no bar
                    where not ({gone n})
                    union all
                    -- looked for where the first has found none: the limit ends it there
                    (%2$s)
                    limit 1
                ) as n on true
            $q$,
            format(c_last, v_slice.starts, v_slice.starts + c_slice),
            format(c_earlier, p_oldest, v_slice.starts - p_oldest, v_slice.starts + c_slice)
        ) using v_slice.places, v_slice.symbols, v_slice.as_ofs, v_slice.known_as_ofs,
            v_slice.tenant_ids;
    end loop;
end
$$;
revoke all on function feature.{name pit_version}(
    text[], timestamptz[], timestamptz[], integer, interval
) from public;
comment on function feature.{name pit_version}(
    text[], timestamptz[], timestamptz[], integer, interval
) is
'The versions that public.{prefix}_pit_snapshot() answers with, without its checks and before '
'staleness. The same arguments, and p_oldest: bars that start longer before as_of are not looked '
'for. One row per element, in no order; place counts the elements from 1. Where several tenants '
'have a symbol it gives a row of each: feature.check_names() comes first.';
$sql$);
