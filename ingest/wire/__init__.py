"""Ticks as Kafka carries them: Avro in Confluent's frame, its schemas, topics, the producer."""
