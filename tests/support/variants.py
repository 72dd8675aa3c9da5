"""How much of what there is to try the default tests try: `make test-all` tries all of it."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import hypothesis
import pytest

# Of a property that says no number.
FULL_EXAMPLES: Final = 25


def mark_variants(items: Iterable[pytest.Item]) -> None:
    """Mark slow all variants of a parametrised test but the first, if ``slow_variants`` marks it.

    ``slow_variants(2)`` keeps two of them, in the order in which pytest collects them.
    """
    kept: Counter[str] = Counter()
    for item in items:
        mark = item.get_closest_marker("slow_variants")
        if mark is None or item.get_closest_marker("slow") or item.get_closest_marker("heavy"):
            continue
        test, _, _ = item.nodeid.partition("[")
        kept[test] += 1
        if kept[test] > (mark.args[0] if mark.args else 1):
            item.add_marker("slow")


def examples(number: int) -> int:
    """How many examples a property is tried with that has NUMBER of them in `make test-all`."""
    return min(number, max(3, number * hypothesis.settings().max_examples // FULL_EXAMPLES))
