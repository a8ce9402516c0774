create or replace function feature.end_ranges(
    p_set text, p_tenant_ids integer[], p_symbols text[], p_to timestamptz
) returns void
language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
    delete from feature.waiting_range as w
    using unnest(p_tenant_ids, p_symbols) as s (tenant_id, symbol)
    where
        w.feature_set = p_set
        and w.tenant_id = s.tenant_id
        and w.symbol = s.symbol
        and w.range_to <= p_to;
    update feature.waiting_range as w set range_from = p_to
    from unnest(p_tenant_ids, p_symbols) as s (tenant_id, symbol)
    where
        w.feature_set = p_set
        and w.tenant_id = s.tenant_id
        and w.symbol = s.symbol
        and w.range_from < p_to;
$$;
revoke all on function feature.end_ranges(text, integer[], text[], timestamptz) from public;
grant execute on function feature.end_ranges(text, integer[], text[], timestamptz)
to market_operator;
comment on function feature.end_ranges(text, integer[], text[], timestamptz) is
'Takes what is before p_to, which is built, out of feature.waiting_range, of some series of the '
'set p_set: p_tenant_ids, p_symbols, element by element. Step of feature.backfill_derived().';
