-- depends: functions/feature/define functions/feature/with_fields functions/feature/field_list
--   functions/feature/former_log functions/feature/held_to
-- rows: market.contract market.feature_set
call feature.define($sql$
create or replace function public.{prefix}_pit_snapshot_in(
    p_generation integer, p_symbols text[], p_as_of timestamptz[],
    p_known_as_of timestamptz[] default null, p_tenant_id integer default null
) returns setof feature.{name pit_row}
language plpgsql stable parallel safe security definer
set search_path = pg_catalog, pg_temp
-- as public.{prefix}_pit_snapshot()
set "timescaledb.enable_chunk_append" = off
set "timescaledb.enable_skipscan" = off
set jit = off
set work_mem = '64MB'
as $$
declare
    -- as public.{prefix}_pit_snapshot()
    c_oldest constant interval := interval '31 days';
    c_former constant record := feature.former_log('{set}', p_generation);
    v_known_as_of timestamptz[];
    v_known_from timestamptz;
    v_known_to timestamptz;
    v_limits record;
begin
    if c_former.log is null then
        return query
        select s.*
        from public.{prefix}_pit_snapshot(p_symbols, p_as_of, p_known_as_of, p_tenant_id) as s;
        return;
    end if;
    perform feature.check_pairs(p_symbols, p_as_of, p_known_as_of);
    perform feature.check_names(p_symbols, p_tenant_id);
    v_known_as_of := feature.held_to(p_as_of, p_known_as_of, c_former.known_to);
    select
        min(k.known_as_of),
        max(k.known_as_of)
    into v_known_from, v_known_to
    from unnest(v_known_as_of) as k (known_as_of);
    select
        l.maxima,
        l.shortest,
        l.longest,
        count(*) over () as epochs
    into v_limits
    from feature.contract_limits('{set}', v_known_from, v_known_to) as l;
    if cardinality(p_as_of) = 0 then
        return;
    end if;
    if v_limits.epochs > 1 then
        -- the contract's maxima changed in between: what was known under each is asked apart
        return query
        select
            a.symbol, a.as_of, a.known_as_of, a.bucket, a.known_at, { a.%I }, a.is_stale
        from (
            select
                array_agg(p.symbol order by p.place) as symbols,
                array_agg(p.as_of order by p.place) as as_ofs,
                array_agg(p.known_as_of order by p.place) as known_as_ofs,
                array_agg(p.place order by p.place) as places
            from unnest(p_symbols, p_as_of, v_known_as_of)
                with ordinality as p (symbol, as_of, known_as_of, place)
            inner join feature.contract_limits('{set}', v_known_from, v_known_to) as l
                on p.known_as_of >= l.known_at and p.known_as_of < l.known_to
            group by l.known_at
        ) as e
        cross join lateral public.{prefix}_pit_snapshot_in(
            p_generation, e.symbols, e.as_ofs, e.known_as_ofs, p_tenant_id
        ) with ordinality as a
        order by e.places[a.ordinality];
        return;
    end if;
    return query execute feature.{name pit_query}(
        p_as_of, p_tenant_id, c_oldest + v_limits.longest, v_limits.shortest, v_limits.longest,
        c_former.log
    )
    using p_symbols, p_as_of, v_known_as_of, p_tenant_id, c_former.known_to, v_limits.maxima;
end
$$;
revoke all on function public.{prefix}_pit_snapshot_in(
    integer, text[], timestamptz[], timestamptz[], integer
) from public;
grant execute on function public.{prefix}_pit_snapshot_in(
    integer, text[], timestamptz[], timestamptz[], integer
) to market_reader;
comment on function public.{prefix}_pit_snapshot_in(
    integer, text[], timestamptz[], timestamptz[], integer
) is
'public.{prefix}_pit_snapshot() of the generation p_generation of feature.{name log} '
'(feature.generation): what was answered before feature.rebuild() made the next one. Of a former '
'one known_as_of is held to the moment from which it says nothing more, and returned as it was '
'used; a field that came later is NULL. Other arguments, columns and errors: as there; 42704 for a '
'generation that there is not, too.';
$sql$);
