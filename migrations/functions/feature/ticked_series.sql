-- depends: functions/market/bars_made_from functions/market/tick_kinds
create or replace function feature.ticked_series(
    p_from timestamptz, p_to timestamptz
) returns table (tenant_id integer, symbol text)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return query execute (
        select string_agg(
            format(
                'select t.tenant_id, t.symbol from market.%1$I as t '
                'where t.ts >= $1 and t.ts < $2 and (%2$L::text[] is null or t.symbol = any(%2$L::text[]))',
                k.kind || '_belief', s.symbols
            ),
            ' union '
        )
        from unnest(market.tick_kinds()) as k (kind)
        cross join lateral (select market.bars_made_from(k.kind) as symbols) as s
        where s.symbols is null or cardinality(s.symbols) > 0
    ) using p_from, p_to;
end
$$;
revoke all on function feature.ticked_series(timestamptz, timestamptz) from public;
grant execute on function feature.ticked_series(timestamptz, timestamptz) to market_operator;
comment on function feature.ticked_series(timestamptz, timestamptz) is
'The series that have ticks in [p_from, p_to) that may make a bar, those that were corrected or '
'cancelled included. For feature.backfill().';
