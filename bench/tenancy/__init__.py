"""What the barrier of schema api costs: the same queries on market's relations and through api."""
