"""Errors of the training package; each names the input at fault and the remedy.

UserError
└── TrainingError       of this package
    ├── DeclarationError    a model's declaration, or its label, cannot be used
    ├── DatasetError        the database does not give the training set that was asked for
    ├── TrackingError       MLflow does not answer, or holds half of a run
    └── PromotionRefused    a version may not take an alias; nothing was changed
"""

from embedded.errors import UserError


class TrainingError(UserError):
    """Base class; its text names the input at fault and the remedy."""


class DeclarationError(TrainingError):
    """A model's declaration, or its label, cannot be used."""


class DatasetError(TrainingError):
    """The database does not give the training set that was asked for."""


class TrackingError(TrainingError):
    """MLflow does not answer, or holds half of a run."""


class PromotionRefused(TrainingError):
    """A version may not take an alias; nothing was changed."""
