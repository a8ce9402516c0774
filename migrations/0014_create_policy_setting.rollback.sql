-- loses: changed intervals; the defaults come back with the migration
drop table market.policy_setting;
