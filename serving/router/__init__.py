"""The router in front of Triton: keys, online features, versions of a model, what was predicted."""
