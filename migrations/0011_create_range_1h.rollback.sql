-- loses: the dbt views on it; the ticks stay
drop materialized view market.range_1h cascade;
