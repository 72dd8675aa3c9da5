"""Who changes what a model's versions are used for, in tests."""

from typing import Final, TypedDict


class Author(TypedDict):
    """Who, and why: the keyword arguments of every change."""

    by: str
    reason: str


ANNA: Final[Author] = {"by": "anna", "reason": "a test"}
