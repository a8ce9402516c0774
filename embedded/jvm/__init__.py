"""Real services for tests and benchmarks, from Maven Central: Kafka and Apicurio Registry."""
