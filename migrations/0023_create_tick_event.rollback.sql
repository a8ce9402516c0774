-- loses: corrections and cancels that wait for their tick, and which events were said
drop table market.bar_event cascade;
drop table market.quote_event cascade;
drop table market.trade_event cascade;

revoke delete on market.trade_superseded from market_ingest;

revoke delete on market.quote_superseded from market_ingest;

revoke delete on market.bar_superseded from market_ingest;

-- of this release, as its tables: the older one makes its own
drop function if exists market.apply_trades();
drop function if exists market.apply_quotes();
drop function if exists market.apply_bars();
drop function if exists market.apply_ticks(text, text);
drop function if exists market.insert_ticks(text, text);
