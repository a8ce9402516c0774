-- depends: functions/feature/carry_over functions/feature/hold_rebuild
create or replace function feature.carry_kept(
    p_run integer, p_set text, p_tenant_ids integer[] default null, p_symbols text[] default null
) returns void
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    c_run constant feature.rebuild_run := feature.hold_rebuild(p_run);
    v_versions bigint;
begin
    if c_run.kept_from = '-infinity' then
        return;
    end if;
    with carried as (
        select
            coalesce(p_tenant_ids, array_agg(s.tenant_id)) as tenant_ids,
            coalesce(p_symbols, array_agg(s.symbol)) as symbols
        from feature.series as s
    )

    select feature.carry_over(p_set, c.tenant_ids, c.symbols, c_run.kept_from, c_run.known_to)
    into v_versions
    from carried as c;
    update feature.rebuild_run
    set stepped_at = clock_timestamp(), versions = versions + coalesce(v_versions, 0);
end
$$;
revoke all on function feature.carry_kept(integer, text, integer[], text[]) from public;
grant execute on function feature.carry_kept(integer, text, integer[], text[]) to market_operator;
comment on function feature.carry_kept(integer, text, integer[], text[]) is
'Takes over into the next log of the set p_set the bars of before kept_from of '
'feature.rebuild_run, whose ticks retention may have dropped. p_run: the call of '
'feature.rebuild(); p_tenant_ids, p_symbols: of which series, element by element, default all. '
'Step of feature.rebuild_set().';
