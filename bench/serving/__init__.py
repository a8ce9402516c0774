"""What the router, Triton and MLflow take to answer."""
