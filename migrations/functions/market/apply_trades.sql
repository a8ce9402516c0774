create or replace function market.apply_trades()
returns table (ordinal bigint, outcome text)
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select
        a.ordinal,
        a.outcome
    from market.apply_ticks('trade', 'price, size, side') as a
$$;
revoke all on function market.apply_trades() from public;
grant execute on function market.apply_trades() to market_ingest;
comment on function market.apply_trades() is
'Applies a batch of trade events from the temporary table incoming_trade (ordinal bigint, action '
'text: new, correction or cancel, then the columns of market.trade) in the order of ordinal. A '
'correction or cancel moves the version it replaces to market.trade_superseded. Returns the events '
'that were not applied: ordinal, and outcome "duplicate" (nothing lost) or "unknown_trade" (a '
'correction or cancel of a trade that is not current). Errors: 42P01 when the temporary table is '
'missing; check violations for values that no trade can have.';
