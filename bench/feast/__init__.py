"""Feast: training sets, online reads, HTTP, and from a bar's close to the online store."""
