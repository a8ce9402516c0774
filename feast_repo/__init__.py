"""Feast over the point-in-time log: definitions, the offline store, the online store, the API."""
