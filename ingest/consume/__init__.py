"""From Kafka to the database: the loop, its batches, what one transaction writes."""
