"""Numbers of rows, and as people write them."""

import re
from typing import Final, TypeGuard

LARGEST_ID: Final = 2**63 - 1
"""Of PostgreSQL's bigint."""

LARGEST_VERSION: Final = 2**31 - 1
"""A model version is a PostgreSQL integer."""

# Digits of other scripts are none, and int() refuses some thousands of them.
_DIGITS: Final = re.compile(r"[0-9]{1,19}")


def number_of(reference: int | str, *, largest: int = LARGEST_ID) -> int | None:
    """The number that somebody wrote; None if no row can have it."""
    if isinstance(reference, str):
        if not _DIGITS.fullmatch(reference):
            return None
        reference = int(reference)
    return reference if 0 < reference <= largest else None


def is_share(value: object) -> TypeGuard[float]:
    """Whether a value of JSON is a number between 0 and 1: other programs may write anything."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def require_limit(limit: int) -> None:
    """Refuse what PostgreSQL takes for no limit.

    Raises:
        ValueError: If it is below 1, or larger than any number of rows.
    """
    if not 1 <= limit <= LARGEST_ID:
        raise ValueError(f"the limit is {limit}: expected 1 or more")
