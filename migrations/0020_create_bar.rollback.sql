-- loses: every vendor's bar and every superseded version of one
set local role market_owner;
drop table market.bar_superseded cascade;
drop table market.bar cascade;
delete from market.policy_setting
where relation = 'bar';
