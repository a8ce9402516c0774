"""The demo: one synthetic day, or your own files, from Kafka to features and a report."""
