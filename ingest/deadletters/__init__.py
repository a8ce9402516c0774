"""Refused messages: written beside the batch, read, mended and sent back."""
