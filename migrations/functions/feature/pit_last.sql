-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
--   functions/feature/tell_definitions
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_last}(
    p_symbols text[], p_as_of timestamptz, p_known_as_of timestamptz, p_tenant_id integer,
    p_whole boolean
) returns setof feature.{name pit_row}
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
-- one plan for all calls, which leaves chunks out as it starts, and not at each probe
set plan_cache_mode = force_generic_plan
set "timescaledb.enable_chunk_append" = on
set "timescaledb.enable_runtime_exclusion" = off
set enable_seqscan = off
set jit = off
as $$
declare
    -- nearly always the last bar holds the answer, or one of the few before it
    c_last constant interval := interval '{last}';
begin
    return query
    with found as materialized (
        select
            p.place,
            p.symbol,
            k.known_as_of,
            n.bucket,
            n.known_at,
            { n.%I },
            n.made_by
        from unnest(p_symbols) with ordinality as p (symbol, place)
        cross join lateral (
            select
                coalesce(p_tenant_id, (
                    -- of no tenant where several have the symbol
                    select case when count(*) = 1 then min(s.tenant_id) end
                    from feature.series as s
                    where s.symbol = p.symbol
                )) as tenant_id
            -- once for all that reads it
            offset 0
        ) as t
        cross join lateral (
            select
                feature.bar_key(t.tenant_id, p.symbol, {begins p_as_of}) as key,
                least(coalesce(p_known_as_of, p_as_of), c.published_at) as known_as_of
            from feature.clock as c
            offset 0
        ) as k
        left join lateral (
            (
                select
                    b.bucket, b.known_at, { b.%I },
                    {made_by b} as made_by
                from (
                    select l.*
                    from feature.{name log} as l
                    where
                        {near l k.key}
                        and l.tenant_id = t.tenant_id
                        and l.symbol = p.symbol
                        and l.known_at <= k.known_as_of
                        and {closed l p_as_of}
                        and l.bucket > p_as_of - c_last
                    order by l.bucket desc, l.known_at desc
                    limit 1
                ) as b
                -- a bar that has gone is no bar
                where not ({gone b})
            )
            union all
            (
                select
                    b.bucket, b.known_at, { b.%I },
                    {made_by b} as made_by
                from (
                    select l.*
                    from feature.{name log} as l
                    where
                        l.tenant_id = t.tenant_id
                        and l.symbol = p.symbol
                        and l.known_at <= k.known_as_of
                        and {closed l p_as_of}
                        and l.bucket > p_as_of - c_last
                    order by l.bucket desc, l.known_at desc
                    limit 1
                ) as b
                -- a bar that has gone is no bar
                where not ({gone b})
            )
            limit 1
        ) as n on true
        where
            -- no bar of the last few is stale, and nothing waits that one must be warned of
            not exists (
                select from market.contract_version as m
                where
                    m.feature_set = '{set}'
                    and m.max_staleness_s < extract(epoch from c_last)::integer
            )
            and not exists (select from feature.waiting_history)
    ),

    answered as (
        select coalesce(min(f.place) - 1, cardinality(p_symbols)) as symbols
        from found as f
        where f.bucket is null
    )

    select
        f.symbol,
        p_as_of,
        f.known_as_of,
        f.bucket,
        f.known_at,
        { f.%I },
        false
    from found as f
    where
        f.place <= (select a.symbols from answered as a)
        and (
            not p_whole
            or (select a.symbols from answered as a) = cardinality(p_symbols)
            and (select feature.tell_definitions('{set}', array_agg(m.made_by)) from found as m)
        )
    order by f.place;
end
$$;
revoke all on function feature.{name pit_last}(
    text[], timestamptz, timestamptz, integer, boolean
) from public;
comment on function feature.{name pit_last}(
    text[], timestamptz, timestamptz, integer, boolean
) is
'public.{prefix}_pit_snapshot() of one moment as far as the last few bars hold the answer: one row '
'per symbol, in order, up to the first that they have none of. p_whole: no row unless there is one '
'of each, and then a warning of the definitions that they mix. No rows where such a bar could be '
'stale, or history waits that the asker is to be warned of. Nothing is checked: p_symbols without '
'NULLs, moments from 2000 until now. Other arguments and columns: as there.';
$sql$);
