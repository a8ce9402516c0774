-- loses: the dbt views on them; the ticks stay
drop materialized view market.flow_1h cascade;
drop materialized view market.flow_1m cascade;
