"""An embedded TimescaleDB for development, demonstration and tests."""
