-- loses: every quote and every superseded version of one
drop table market.quote_superseded cascade;
drop table market.quote cascade;
