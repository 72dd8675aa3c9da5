"""Errors of changing versions.

::

    VersionError
    ├── VersionNotFound      no such field, or no such version of it
    └── ChangeRefused        the version cannot be changed like that
"""


class VersionError(Exception):
    """Base of what can be wrong with a change of versions."""


class VersionNotFound(VersionError):
    """The field, or this version of its model, does not exist."""


class ChangeRefused(VersionError):
    """The version cannot be changed like that; the message says why, and what to do."""
