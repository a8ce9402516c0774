-- depends: 0014_create_feature_log 0055_version_reference
-- purpose: a receipt names the database whose answer it stands for
-- lock: access exclusive on feature.clock, for a moment: its one row is written
set local role market_owner;

alter table feature.clock add column database_id uuid not null default gen_random_uuid();
comment on column feature.clock.database_id is
'What this database is known by in receipts (feature.receipt()), and a copy of it too.';
