"""Errors of the embedded services. Every message names the input and the remedy."""


class EmbeddedError(Exception):
    """Base of everything this package raises on purpose."""


class InstallError(EmbeddedError):
    """Node or the engine's package cannot be installed or found."""


class StartError(EmbeddedError):
    """The engine did not come up."""


class AlreadyRunningError(StartError):
    """Another process owns the data directory."""


class PortInUseError(StartError):
    """The requested port is taken."""
