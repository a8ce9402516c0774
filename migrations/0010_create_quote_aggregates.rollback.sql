-- loses: the dbt views on them; the ticks stay
drop materialized view market.quote_1h cascade;
drop materialized view market.quote_1m cascade;
