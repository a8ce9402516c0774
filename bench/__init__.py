"""Benchmarks: a package each, run by `make bench NAME=...` on the server of DATABASE_URL."""
