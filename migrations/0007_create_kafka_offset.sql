-- depends: 0002_create_roles
-- purpose: how far ingest is, and what it refused
-- lock: none, the tables are new
set local role market_owner;

create table market.kafka_offset (
    topic text not null,
    partition integer not null check (partition >= 0),
    next_offset bigint not null default 0 check (next_offset >= 0),
    epoch bigint not null default 0,
    topic_id text,
    primary key (topic, partition)
);
comment on table market.kafka_offset is
'One row per partition that ingest consumes. The row moves with the ticks, so that each message '
'counts once.';
comment on column market.kafka_offset.topic is 'Kafka topic.';
comment on column market.kafka_offset.partition is 'Kafka partition.';
comment on column market.kafka_offset.next_offset is 'First offset that has not been consumed.';
comment on column market.kafka_offset.epoch is
'Counts assignments: a consumer that holds an older number is a zombie, and its commit fails.';
comment on column market.kafka_offset.topic_id is
'Kafka''s id of the topic that the offsets count in: a topic that was deleted and made again, or '
'is on another cluster, has another id, and is read from its start. NULL: not known yet.';

create table market.dead_letter (
    topic text not null,
    partition integer not null,
    "offset" bigint not null,
    reason text not null,
    message text not null,
    recorded_at timestamptz not null default now(),
    primary key (topic, partition, "offset")
);
comment on table market.dead_letter is
'One row per message that ingest refused. Its bytes are in the Kafka topic <topic>.dlq.';
comment on column market.dead_letter.topic is 'Kafka topic of the refused message.';
comment on column market.dead_letter.partition is 'Kafka partition of the refused message.';
comment on column market.dead_letter."offset" is 'Kafka offset of the refused message.';
comment on column market.dead_letter.reason is 'Kind of fault, for example negative_price.';
comment on column market.dead_letter.message is 'The bad value and what to do about it.';
comment on column market.dead_letter.recorded_at is 'When it was refused.';

grant select, insert, update on market.kafka_offset, market.dead_letter to market_ingest;
