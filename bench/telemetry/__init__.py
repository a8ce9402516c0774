"""What the hooks of ingest.telemetry cost, off and on."""
