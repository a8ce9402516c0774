"""Point-in-time reads against Feast, DuckDB and polars, and what a publish costs."""
