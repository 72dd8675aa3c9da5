"""Whether a distribution is installed, in a version that will do; none is imported to tell."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version


def is_installed(requirement: str) -> bool:
    """Return whether a requirement is met.

    Args:
        requirement: A name and, if wanted, the lowest version: ``a>=1.2``; of ``a>=1.2 | b`` either
            will do.
    """
    for alternative in requirement.split("|"):
        distribution, _, lowest = alternative.partition(">=")
        try:
            installed = version(distribution.partition("[")[0].strip())
        except PackageNotFoundError:
            continue
        if _release(installed) >= _release(lowest):
            return True
    return False


def _release(text: str) -> tuple[int, ...]:
    """Return the numbers a version starts with: (2, 13, 0) for ``2.13.0+cpu``."""
    match = re.match(r"\d+(?:\.\d+)*", text.strip())
    return () if match is None else tuple(map(int, match[0].split(".")))
