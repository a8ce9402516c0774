-- depends: functions/feature/define functions/feature/with_fields functions/feature/bar_key
--   functions/feature/tell_definitions
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function feature.{name pit_moment}(
    p_symbols text[], p_as_of timestamptz, p_known_as_of timestamptz, p_tenant_id integer,
    p_bars integer, p_whole boolean
) returns setof feature.{name pit_row}
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
-- one plan for all calls, which leaves chunks out as it starts
set plan_cache_mode = force_generic_plan
set "timescaledb.enable_chunk_append" = on
set "timescaledb.enable_runtime_exclusion" = off
-- all bars are read by one search, as they lie side by side in the index: a tenth of what a probe
-- for each costs (bench/pit), which a nested loop would lose again
set enable_nestloop = off
set enable_mergejoin = off
set enable_seqscan = off
set jit = off
as $$
begin
    if not {keyed} then
        return;
    end if;
    return query
    with pair as materialized (
        select
            p.place,
            p.symbol,
            t.tenant_id,
            feature.bar_key(t.tenant_id, p.symbol, {begins p_as_of}) as key
        from unnest(p_symbols) with ordinality as p (symbol, place)
        left join (
            -- of no tenant where several have the symbol
            select
                s.symbol,
                min(s.tenant_id) as tenant_id
            from feature.series as s
            where s.symbol = any(p_symbols) and (p_tenant_id is null or s.tenant_id = p_tenant_id)
            group by s.symbol
            having count(*) = 1
        ) as t on p.symbol = t.symbol
    ),

    found as materialized (
        select distinct on (p.place)
            p.place,
            l.*
        from pair as p
        inner join feature.{name log} as l on p.symbol = l.symbol and p.tenant_id = l.tenant_id
        where
            feature.bar_key(l.tenant_id, l.symbol, l.bucket) = any(array(
                select a.key - b.number * {step}
                from pair as a
                cross join generate_series(0, p_bars - 1) as b (number)
            ))
            and l.known_at <= p_known_as_of
            and {closed l p_as_of}
            and l.bucket > p_as_of - interval '{last}'
        order by p.place, l.bucket desc, l.known_at desc
    ),

    -- how many from the first on are answered: a bar that has gone is no bar
    answered as (
        select
            case
                when count(*) = cardinality(p_symbols) then count(*)
                else (
                    select coalesce(min(p.place) - 1, cardinality(p_symbols))
                    from pair as p
                    where not exists (
                        select from found as n where p.place = n.place and not ({gone n})
                    )
                )
            end as symbols
        from found as f
        where not ({gone f})
    )

    select
        f.symbol,
        p_as_of,
        p_known_as_of,
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
            and (
                select feature.tell_definitions('{set}', array_agg({made_by m})) from found as m
            )
        )
    order by f.place;
end
$$;
revoke all on function feature.{name pit_moment}(
    text[], timestamptz, timestamptz, integer, integer, boolean
) from public;
comment on function feature.{name pit_moment}(
    text[], timestamptz, timestamptz, integer, integer, boolean
) is
'public.{prefix}_pit_snapshot() of many symbols at one moment, as far as the last p_bars bars hold '
'the answer: one row per symbol, in order, up to the first that they have none of. p_whole: no row '
'unless there is one of each, and then a warning of the definitions that they mix. No rows of a '
'set whose log has no index by feature.bar_key(). Nothing is checked: p_symbols without NULLs, '
'p_known_as_of at the last publish or before, p_as_of from 2000 until now, no bar of these stale '
'by the contract. Other arguments and columns: as there.';
$sql$);
