-- loses: what receipts know this database by
set local role market_owner;

alter table feature.clock drop column database_id;
