"""Errors of the engine package.

EngineError
├── ConfigError         a setting has a value that cannot be used
├── EngineUnavailable   the server cannot be reached, refuses the login or cannot be started
├── EngineUnsuitable    the server answers but lacks TimescaleDB, or is too old
├── MigrationFailed     a migration stopped, or the files on disk are not those that were applied
├── ReferenceRefused    a line of seeds/ is wrong
├── FeatureRefused      a feature cannot be added as asked
├── NotAgreed           what would be lost or mixed was named, and nobody said yes
├── RollbackRefused     a rollback of that many migrations makes no sense
└── TenantRefused       a tenant cannot be made, changed or removed as asked
"""

from embedded.errors import UserError


class EngineError(UserError):
    """Base class; its text names the input at fault and the remedy."""


class ConfigError(EngineError):
    """A setting, of any package, has a value that cannot be used."""


class EngineUnavailable(EngineError):
    """The server cannot be reached, refuses the login or cannot be started."""


class EngineUnsuitable(EngineError):
    """The server answers but cannot run this project."""


class MigrationFailed(EngineError):
    """A migration stopped, or its file changed after it was applied."""


class FeatureRefused(EngineError):
    """A feature cannot be added as asked; nothing was written."""


class ReferenceRefused(EngineError):
    """A line of seeds/ is wrong; nothing of them was loaded."""


class NotAgreed(EngineError):
    """What would be lost or mixed was named, and nobody said yes; nothing was changed."""


class RollbackRefused(EngineError):
    """A rollback of that many migrations makes no sense; nothing was changed."""


class TenantRefused(EngineError):
    """A tenant cannot be made, changed or removed as asked; nothing was changed."""
