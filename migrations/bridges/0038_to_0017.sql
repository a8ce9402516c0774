-- folds: 0002_create_reference to 0037_create_tape
-- leads: 0017_create_feast_schema
-- purpose: the aggregate of the range estimators no longer has the name of the contract's field;
--   everything else that differs is a function or a view, and is made from its file
set local role market_owner;

drop view api.volatility_1h;
alter materialized view market.volatility_1h rename to range_1h;
update market.policy_setting set relation = 'range_1h' where relation = 'volatility_1h';
-- one name, one meaning: feature_pit_snapshot() gives the field
drop function feature.volatility_1h(text, timestamptz, integer);
