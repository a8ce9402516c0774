-- depends: 0007_create_kafka_offset
-- purpose: whose messages were refused, and which refusals are settled
-- lock: market.dead_letter for a moment; without defaults no row is written
set local role market_owner;

-- its columns come in another order: views/market/dead_letter_count.sql makes it again
drop view if exists market.dead_letter_count;
alter table market.dead_letter
add column tenant_id bigint,
add column symbol text,
add column file text,
add column settled_at timestamptz;

comment on column market.dead_letter.tenant_id is
'Tenant that the message names, maybe one that is not there (so not an integer of market.tenant); '
'NULL where its bytes cannot be read, or refused before this column was.';
comment on column market.dead_letter.symbol is
'Symbol that the message names, its first 200 characters; NULL as tenant_id.';
comment on column market.dead_letter.file is
'Captured file that the message was replayed from; NULL where it names none.';
comment on column market.dead_letter.settled_at is
'When it was sent back or dropped by python -m ingest dlq; NULL: it is open.';
