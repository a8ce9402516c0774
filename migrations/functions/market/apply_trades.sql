create or replace function market.apply_trades()
returns table (ordinal bigint, outcome text, was jsonb)
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select
        a.ordinal,
        a.outcome,
        a.was
    from market.apply_ticks('trade', 'price, size, side') as a
$$;
revoke all on function market.apply_trades() from public;
grant execute on function market.apply_trades() to market_ingest;
comment on function market.apply_trades() is
'Applies a batch of trade events from the temporary table incoming_trade (ordinal bigint, action '
'text: new, correction or cancel, own_clock boolean: whether known_at is only this system''s '
'clock, then the columns of market.trade). What is and was believed of a trade, market.trade and '
'market.trade_superseded, depends on its events alone, not on their order, repetition or batches: '
'docs/ingest.md. Returns the events that changed nothing: ordinal, and outcome "duplicate" '
'(nothing lost), "conflict" (it contradicts an event of the same key, whose values are in was) or '
'"waiting" (a correction or cancel whose trade has not come). Errors: 42P01 when the temporary '
'table is missing; check violations for values that no trade can have.';
