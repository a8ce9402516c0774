-- depends: functions/feature/append_history functions/feature/carry_over
--   functions/feature/hold_rebuild functions/feature/make_history
create or replace function feature.rebuild_slice(
    p_run integer,
    p_set text,
    p_tenant_ids integer[],
    p_symbols text[],
    p_from timestamptz,
    p_to timestamptz
) returns bigint
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set client_min_messages = warning
set jit = off
as $$
declare
    c_run constant feature.rebuild_run := feature.hold_rebuild(p_run);
    v_tenant_ids integer[];
    v_symbols text[];
    v_versions bigint := 0;
begin
    select
        array_agg(s.tenant_id) filter (where r.carried_to is null),
        array_agg(s.symbol) filter (where r.carried_to is null)
    into v_tenant_ids, v_symbols
    from unnest(p_tenant_ids, p_symbols) as s (tenant_id, symbol)
    left join feature.rebuild_series as r
        on r.feature_set = p_set and s.tenant_id = r.tenant_id and s.symbol = r.symbol;
    if v_symbols is not null then
        execute format(
            $q$
                delete from %s as l
                using unnest($1, $2) as s (tenant_id, symbol)
                where
                    l.tenant_id = s.tenant_id
                    and l.symbol = s.symbol
                    and l.bucket >= $3
                    and l.bucket < $4
            $q$,
            (feature.published_of(p_set)).log
        ) using v_tenant_ids, v_symbols, p_from, p_to;
        perform feature.make_history(
            p_set, v_tenant_ids, v_symbols, p_from, p_to, c_run.known_to
        );
        v_versions := feature.append_history(p_set, c_run.known_to);
        insert into feature.rebuild_series (feature_set, tenant_id, symbol)
        select distinct p_set, h.tenant_id, h.symbol
        from history_version as h
        on conflict do nothing;
        -- on which a formula has failed
        insert into feature.rebuild_series (feature_set, tenant_id, symbol, carried_to)
        select p_set, s.tenant_id, s.symbol, '-infinity'
        from unnest(v_tenant_ids, v_symbols) as s (tenant_id, symbol)
        where (s.tenant_id, s.symbol) not in (select l.tenant_id, l.symbol from slice as l)
        on conflict (feature_set, tenant_id, symbol) do update set carried_to = '-infinity';
    end if;
    with carried as (
        update feature.rebuild_series as r set carried_to = c_run.known_to
        from unnest(p_tenant_ids, p_symbols) as s (tenant_id, symbol)
        where
            r.feature_set = p_set
            and r.tenant_id = s.tenant_id
            and r.symbol = s.symbol
            and r.carried_to < c_run.known_to
        returning r.tenant_id, r.symbol
    )

    select
        array_agg(c.tenant_id),
        array_agg(c.symbol)
    into v_tenant_ids, v_symbols
    from carried as c;
    if v_symbols is not null then
        perform feature.carry_over(
            p_set, v_tenant_ids, v_symbols, 'infinity', c_run.known_to
        );
    end if;
    update feature.rebuild_run
    set stepped_at = clock_timestamp(), versions = versions + v_versions;
    return v_versions;
end
$$;
revoke all on function feature.rebuild_slice(
    integer, text, integer[], text[], timestamptz, timestamptz
) from public;
grant execute on function feature.rebuild_slice(
    integer, text, integer[], text[], timestamptz, timestamptz
) to market_operator;
comment on function feature.rebuild_slice(
    integer, text, integer[], text[], timestamptz, timestamptz
) is
'The versions of some series'' bars of the set p_set with bucket in [p_from, p_to), built from the '
'ticks, or from the logs that the set reads, in the next log, in place of those that it has. '
'p_run: the call of feature.rebuild(); p_tenant_ids, p_symbols: the series, element by element. '
'Returns how many. A series whose formulas fail keeps the versions that it had, all of them '
'(feature.carry_over()), with a warning and in the setting feature.left_out. Step of '
'feature.rebuild_set().';
