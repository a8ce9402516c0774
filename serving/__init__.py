"""Models that answer: Triton behind a router, which logs what was predicted and from what."""
