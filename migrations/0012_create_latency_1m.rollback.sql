-- loses: the dbt views on it; the ticks stay
drop materialized view market.latency_1m cascade;
