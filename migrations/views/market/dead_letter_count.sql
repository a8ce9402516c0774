-- last takes one ordering value: big-endian bytes order as the numbers do, none being negative
create or replace view market.dead_letter_count as
select
    topic,
    reason,
    tenant_id,
    symbol,
    file,
    count(*) as dead_letters,
    count(*) filter (where settled_at is null) as open_letters,
    min(recorded_at) as first_at,
    max(recorded_at) as last_at,
    last(
        message, timestamptz_send(recorded_at) || int4send(partition) || int8send("offset")
    ) as last_message
from market.dead_letter
group by topic, reason, tenant_id, symbol, file;
comment on view market.dead_letter_count is
'One row per (topic, reason, tenant_id, symbol, file) with refused messages: how many, and whose. '
'The messages themselves: python -m ingest dlq list.';
comment on column market.dead_letter_count.topic is 'Kafka topic of the refused messages.';
comment on column market.dead_letter_count.reason is 'Kind of fault, for example negative_price.';
comment on column market.dead_letter_count.tenant_id is
'Tenant that they name; NULL where their bytes cannot be read.';
comment on column market.dead_letter_count.symbol is
'Symbol that they name; NULL where their bytes cannot be read.';
comment on column market.dead_letter_count.file is
'Captured file that they were replayed from; NULL where they name none.';
comment on column market.dead_letter_count.dead_letters is
'Number of refused messages; one that was sent back and refused again counts twice.';
comment on column market.dead_letter_count.open_letters is
'How many of them were neither sent back nor dropped with python -m ingest dlq.';
comment on column market.dead_letter_count.first_at is 'When the first one was refused.';
comment on column market.dead_letter_count.last_at is 'When the last one was refused.';
comment on column market.dead_letter_count.last_message is
'Bad value and remedy of the last one, by (recorded_at, partition, offset).';
