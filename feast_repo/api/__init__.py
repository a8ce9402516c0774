"""The feature API: Feast's POST /get-online-features over HTTP, for tenants with API keys."""
