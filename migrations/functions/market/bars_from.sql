create or replace function market.bars_from(p_symbol text) returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(
        (select i.bars_from from market.instrument as i where i.symbol = p_symbol), 'trade'
    )
$$;
revoke all on function market.bars_from(text) from public;
grant execute on function market.bars_from(text)
to market_ingest, market_operator, market_reader;
comment on function market.bars_from(text) is
'What bars of a symbol are made of: trade, quote or bar, as market.instrument says; trade for one '
'that is not there. market.bar_1m makes them of it.';
