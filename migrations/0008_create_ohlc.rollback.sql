-- loses: the dbt views on them; the ticks stay
drop materialized view market.ohlc_1d cascade;
drop materialized view market.ohlc_1h cascade;
drop materialized view market.ohlc_15m cascade;
drop materialized view market.ohlc_5m cascade;
drop materialized view market.ohlc_1m cascade;
