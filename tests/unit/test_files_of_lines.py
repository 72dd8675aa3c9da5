"""Files of lines that somebody else may have written."""

import io

import pytest

from lexiclass_worker.artifacts import lines
from lexiclass_worker.artifacts.lines import copy_lines, lines_of


def test_a_line_longer_than_any_of_ours_is_never_in_memory_and_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "_LONGEST_LINE", 10)
    content = b"short\n" + b"x" * 95 + b"\n0123456789\n012345678\n" + b"y" * 40

    assert list(lines_of(io.BytesIO(content))) == [b"short\n", None, None, b"012345678\n", None]
    kept = io.BytesIO()
    assert copy_lines(io.BytesIO(content), kept, lambda line: line != b"short\n") == 4
    assert kept.getvalue() == b"012345678\n"


def test_other_lines_stay_as_they_are() -> None:
    content = b"a\n\n\x00\xff\r\nlast"
    kept = io.BytesIO()

    assert copy_lines(io.BytesIO(content), kept, lambda _: True) == 0
    assert kept.getvalue() == content
