"""The comparison of rows comes to what the library's does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass.report import paired
from lexiclass_core.versions.paired import accuracy_difference

DOCUMENTS = st.tuples(st.integers(0, 3_000), st.integers(0, 3_000), st.integers(0, 100_000)).filter(
    lambda parts: sum(parts) > 0
)


@given(DOCUMENTS)
def test_differences_of_accuracy_are_those_of_the_library(parts: tuple[int, int, int]) -> None:
    first, second, rest = parts
    number = first + second + rest
    found = accuracy_difference(first, second, number)
    expected = paired.accuracy_difference(first, second, number)
    assert found.value == expected.value
    assert (found.low, found.high) == pytest.approx(expected.interval)
    assert found.p_value == pytest.approx(expected.p_value, rel=1e-8, abs=1e-300)
    # Rounded up, what differs in its last digit may differ by one.
    needed = paired.documents_needed(first, second, number)
    assert found.documents_needed == (None if needed is None else pytest.approx(needed, abs=1))


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [(1, 40, "better"), (40, 1, "worse"), (5, 8, "cannot_tell"), (7, 7, "no_difference")],
)
def test_the_verdict_follows_from_the_test(first: int, second: int, verdict: str) -> None:
    assert accuracy_difference(first, second, 200).verdict == verdict


@pytest.mark.parametrize("parts", [(0, 0, 0), (3, 4, 6), (-1, 0, 5)])
def test_counts_that_cannot_be_are_refused(parts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="one or more"):
        accuracy_difference(*parts)
