"""What every process says of itself: metrics, traces and health; off unless asked for."""
