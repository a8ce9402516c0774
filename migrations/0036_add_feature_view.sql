-- depends: 0003_create_reference
-- purpose: the contract says which of Feast's feature views a field is in
-- lock: access exclusive on market.contract, for a moment
set local role market_owner;

-- rows that are there are in a view of no name until seeds/ say theirs, at the end of make migrate
alter table market.contract add column feature_view text not null default 'unnamed'
constraint contract_feature_view_check check (feature_view ~ '^[a-z][a-z0-9_]*$');
alter table market.contract alter column feature_view drop default;
comment on column market.contract.feature_view is
'Feature view of Feast that the field is in, as view:field; the first view of the contract has '
'bucket, too.';
comment on column market.contract.unit is
'Unit of the value, by which the report draws it: price, in the instrument''s currency; units '
'traded; basis points of something; what lies in bounds ends with in [a, b]; of a text its words, '
'separated by commas.';
