-- loses: the dbt views on it; the quotes stay
set local role market_owner;
-- dbt's views are on it; make dbt makes them anew
drop materialized view market.mid_1m cascade;
delete from market.policy_setting
where relation = 'mid_1m';
