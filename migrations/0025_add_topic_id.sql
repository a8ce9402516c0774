-- depends: 0006_create_kafka_offset
-- purpose: an offset counts in one topic; a topic that was made anew begins again
-- lock: market.kafka_offset, for a moment
set local role market_owner;

alter table market.kafka_offset add column topic_id text;
comment on column market.kafka_offset.topic_id is
'Kafka''s id of the topic that the offsets count in: a topic that was deleted and made again, or '
'is on another cluster, has another id, and is read from its start. NULL: not known yet.';
