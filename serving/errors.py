"""Errors of serving; each names what is wrong and what to do."""

from __future__ import annotations

from embedded.errors import UserError


class ServingError(UserError):
    """A model cannot be served, or a prediction not replayed."""
