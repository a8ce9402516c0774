"""Real services for tests, from Maven Central: Apache Kafka and Apicurio Registry."""
