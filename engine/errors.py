"""Errors of the engine package.

EngineError
├── EngineUnavailable   the server cannot be reached, refuses the login or cannot be started
├── EngineUnsuitable    the server answers but lacks TimescaleDB, or is too old
├── MigrationFailed     a migration stopped, or the files on disk are not those that were applied
└── TenantRefused       a tenant cannot be made, changed or removed as asked
"""


class EngineError(Exception):
    """Base class; its text names the input at fault and the remedy."""


class EngineUnavailable(EngineError):
    """The server cannot be reached, refuses the login or cannot be started."""


class EngineUnsuitable(EngineError):
    """The server answers but cannot run this project."""


class MigrationFailed(EngineError):
    """A migration stopped, or its file changed after it was applied."""


class TenantRefused(EngineError):
    """A tenant cannot be made, changed or removed as asked; nothing was changed."""
