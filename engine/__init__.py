"""The engine: which TimescaleDB this project talks to, and the migrations on it."""
