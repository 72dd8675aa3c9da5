"""Numbers of rows, as people write them."""

import pytest

from lexiclass_core.numbers import number_of


@pytest.mark.parametrize(
    ("reference", "number"),
    [
        ("7", 7),
        ("007", 7),
        (7, 7),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        (2**63, None),
        ("9" * 5_000, None),
        ("0", None),
        (0, None),
        (-1, None),
        ("-1", None),
        ("+1", None),
        ("1_0", None),
        (" 7", None),
        ("7\n", None),
        ("²", None),
        ("٣", None),
        ("", None),
        ("doc-7", None),
    ],
)
def test_a_number_is_one_that_a_row_can_have(reference: int | str, number: int | None) -> None:
    assert number_of(reference) == number


def test_a_version_has_a_limit_of_its_own() -> None:
    assert number_of("2147483648", largest=2**31 - 1) is None
