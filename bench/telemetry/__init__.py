"""What the hooks of telemetry cost, off and on."""
