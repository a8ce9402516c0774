create or replace function market.apply_bars()
returns table (ordinal bigint, outcome text, was jsonb)
language sql volatile
set search_path = pg_catalog, pg_temp
as $$
    select
        a.ordinal,
        a.outcome,
        a.was
    from market.apply_ticks('bar', 'open, high, low, close, volume, vwap') as a
$$;
revoke all on function market.apply_bars() from public;
grant execute on function market.apply_bars() to market_ingest;
comment on function market.apply_bars() is
'As market.apply_trades, for the temporary table incoming_bar, market.bar and '
'market.bar_superseded.';
