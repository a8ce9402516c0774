"""Ticks on Kafka: replay of captures, the consumer into TimescaleDB, dead letters."""
