-- loses: which topics the offsets belong to
alter table market.kafka_offset drop column topic_id;
