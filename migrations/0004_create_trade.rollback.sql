-- loses: every trade and every superseded version of one
drop table market.trade_superseded;
drop table market.trade cascade;
