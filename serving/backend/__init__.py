"""What Triton runs: a version folder of the model repository has a copy of model.py."""
