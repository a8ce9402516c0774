-- loses: the consumed offsets and the list of refused messages; ingest would start from the
--   beginning
drop table market.dead_letter cascade;
drop table market.kafka_offset;
