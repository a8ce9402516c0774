-- loses: how many publishes took changes of each series' history; only a running backfill asks
set local role market_owner;

drop table feature.history_change;
