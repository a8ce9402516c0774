-- loses: which feature view of Feast a field is in; seeds/smartdb_contract.csv has it
set local role market_owner;
alter table market.contract drop column feature_view;
comment on column market.contract.unit is 'Unit of the value.';
