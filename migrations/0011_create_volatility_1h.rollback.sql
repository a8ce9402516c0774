-- loses: the dbt views on it; the ticks stay
drop materialized view market.volatility_1h cascade;
