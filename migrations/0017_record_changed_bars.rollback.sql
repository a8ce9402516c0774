-- loses: the queue of changes that no publish has taken; feature.backfill() finds them in the ticks
drop trigger changed_bar_added on market.trade;
drop trigger changed_bar_added on market.quote;
drop trigger changed_bar_superseded on market.trade_superseded;
drop trigger changed_bar_superseded on market.quote_superseded;
drop function feature.record_added();
drop function feature.record_superseded();
drop table feature.changed_bar;
