create or replace function feature.ticked_series(
    p_from timestamptz, p_to timestamptz
) returns table (tenant_id integer, symbol text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
    v_quoted constant text[] := array(
        select i.symbol from market.instrument as i where i.bars_from = 'quote'
    );
begin
    return query
    select t.tenant_id, t.symbol from market.trade as t
    where t.ts >= p_from and t.ts < p_to
    union
    select t.tenant_id, t.symbol from market.trade_superseded as t
    where t.ts >= p_from and t.ts < p_to
    union
    -- of no such instrument, and no quote is looked at
    select q.tenant_id, q.symbol from market.quote_belief as q
    where
        cardinality(v_quoted) > 0
        and q.symbol = any(v_quoted)
        and q.ts >= p_from
        and q.ts < p_to;
end
$$;
revoke all on function feature.ticked_series(timestamptz, timestamptz) from public;
grant execute on function feature.ticked_series(timestamptz, timestamptz) to market_operator;
comment on function feature.ticked_series(timestamptz, timestamptz) is
'The series that have ticks in [p_from, p_to) that may make a bar, those that were corrected or '
'cancelled included. For feature.backfill().';
