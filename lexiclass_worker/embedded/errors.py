"""What can go wrong with an embedded server."""


class EmbeddedServerError(RuntimeError):
    """Base of the errors of this package."""


class EmbeddedServerUnavailable(EmbeddedServerError):
    """No usable server program, or no account to run it under, is on this machine."""


class EmbeddedServerInUse(EmbeddedServerError):
    """The directory belongs to a running server; the message names the processes."""


class EmbeddedServerFailed(EmbeddedServerError):
    """A server did not start; the message ends with the tail of its log."""
