"""What goes into Kafka without a live feed: captured files, and the synthetic day."""
