-- loses: of which bars the history of added fields waits; what is built stays
set local role market_owner;

drop table feature.waiting_field;
