"""The beginning of a text, as tables show it."""

import pytest

from lexiclass_worker.admin.texts import excerpt


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", ""),
        ("two\n\tlines ", "two lines"),
        ("x" * 10, "x" * 10),
        ("x" * 11, "x" * 9 + "…"),
        ("eight ch and more", "eight ch…"),
    ],
)
def test_an_excerpt_is_one_line_that_says_whether_more_follows(
    text: str | None, expected: str | None
) -> None:
    assert excerpt(text, characters=10) == expected
