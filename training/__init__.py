"""Models: trained on what was known, reproducible to the bit; the bundles they are served from."""
