create or replace function market.apply_quotes()
returns table (ordinal bigint, outcome text, was jsonb)
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select
        a.ordinal,
        a.outcome,
        a.was
    from market.apply_ticks('quote', 'bid, bid_size, ask, ask_size') as a
$$;
revoke all on function market.apply_quotes() from public;
grant execute on function market.apply_quotes() to market_ingest;
comment on function market.apply_quotes() is
'As market.apply_trades, for the temporary table incoming_quote, market.quote and '
'market.quote_superseded.';
