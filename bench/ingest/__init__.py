"""From Kafka to committed rows: trades a second, event-to-commit latency, and a peer."""
