"""Errors of the embedded services. Every message names the input and the remedy.

UserError                   the root of what every package raises on purpose
└── EmbeddedError           of this package
    ├── InstallError            Node or the engine's package cannot be installed or found
    └── StartError              the engine did not come up
        ├── AlreadyRunningError     another process owns the data directory
        └── PortInUseError          the requested port is taken
"""

# what a command returns that Ctrl-C has ended: 128 + SIGINT
INTERRUPTED = 130


class UserError(Exception):
    """What a user can mend: its text names the input at fault and the remedy.

    Every command prints the text alone and exits with 1; any other exception is a defect and shows
    its traceback. It stands here because this package is the lowest.
    """


class EmbeddedError(UserError):
    """Base of everything this package raises on purpose."""


class InstallError(EmbeddedError):
    """Node or the engine's package cannot be installed or found."""


class StartError(EmbeddedError):
    """The engine did not come up."""


class AlreadyRunningError(StartError):
    """Another process owns the data directory."""


class PortInUseError(StartError):
    """The requested port is taken."""
