-- loses: every trade and every superseded version of one
drop table market.trade_superseded cascade;
drop table market.trade cascade;
