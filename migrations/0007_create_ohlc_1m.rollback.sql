-- loses: the dbt views on it; the ticks stay
drop materialized view market.ohlc_1m cascade;
