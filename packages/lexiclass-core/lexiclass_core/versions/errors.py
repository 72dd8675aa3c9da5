"""Errors of changing versions.

::

    VersionError
    ├── VersionNotFound      no such field, or no such version of it
    ├── ReportNotFound       no report of its evaluation is kept
    ├── ReportCorrupt        the report is not as it was written
    └── ChangeRefused        the version cannot be changed like that
"""

from typing import Self


class VersionError(Exception):
    """Base of what can be wrong with a change of versions."""


class VersionNotFound(VersionError):
    """The field, or this version of its model, does not exist."""

    @classmethod
    def of(cls, field_id: int, version: int) -> Self:
        """A field that exists, without this version of its model."""
        return cls(
            f"field {field_id} has no model version {version}: name one that it has "
            "(`models list` shows them), or train it"
        )


class ReportNotFound(VersionError):
    """No report of the version is kept; the message says what to do."""


class ReportCorrupt(VersionError):
    """The files of a report are gone, changed, another version's, or not signed."""


class ChangeRefused(VersionError):
    """The version cannot be changed like that; the message says why, and what to do."""
