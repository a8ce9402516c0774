-- loses: which history waits for a backfill; its ticks stay
set local role market_owner;

drop table feature.quoted_series;
drop table feature.waiting_history;
alter table feature.changed_bar drop column kind;
