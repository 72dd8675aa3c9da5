"""What children print is told in bounds."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from lexiclass_worker.sandbox.printed import (
    FIRST_LINES,
    LAST_LINES,
    LONGEST_LINE,
    PERIOD_S,
    OutputPipe,
    PrintedLines,
)


class Clock:
    """One that stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def told(*parts: bytes) -> list[str]:
    lines: list[str] = []
    printed = PrintedLines(lines.append, Clock())
    for part in parts:
        printed.take(part)
    printed.end()
    return lines


def test_lines_are_told_one_by_one_however_they_come() -> None:
    assert told(b"one\ntw", b"o\r\n\n", b"thr", b"ee") == ["one", "two", "three"]


def test_what_a_terminal_would_act_upon_is_escaped() -> None:
    assert told(b"a\x1b[2Jb\x00\xff\tc \xe2\x80\xae\n") == ["a\\x1b[2Jb\\x00\\xff c \\u202e"]


@pytest.mark.slow
def test_a_line_without_end_is_cut_and_not_kept() -> None:
    lines: list[str] = []
    printed = PrintedLines(lines.append, Clock())
    for _ in range(1_000):
        printed.take(b"x" * 65_536)
    assert len(printed._rest) < 5_000
    printed.end()
    assert lines == ["x" * LONGEST_LINE + "... (cut)"]


def test_more_lines_than_any_are_counted_once_a_period() -> None:
    lines: list[str] = []
    clock = Clock()
    printed = PrintedLines(lines.append, clock)
    printed.take(b"x\n" * (FIRST_LINES + 7) + b"last\n" * LAST_LINES)
    assert lines == ["x"] * FIRST_LINES
    clock.now_s = PERIOD_S
    printed.look()
    printed.look()
    printed.take(b"y\n")
    assert lines[FIRST_LINES:] == [
        "(7 more lines, which are not logged)",
        *["last"] * LAST_LINES,
        "y",
    ]


def test_the_error_at_the_end_of_a_long_traceback_is_told() -> None:
    lines = told(b"  File ...\n" * 500 + b"ImportError: libgomp.so.1")
    assert lines[-1] == "ImportError: libgomp.so.1"


@given(st.lists(st.binary(max_size=2_000), max_size=50))
def test_no_bytes_make_more_or_longer_lines_than_the_bounds(parts: list[bytes]) -> None:
    lines = told(*parts)
    assert len(lines) <= FIRST_LINES + 1 + LAST_LINES
    assert all(line.isprintable() and len(line) <= LONGEST_LINE + 20 for line in lines)


def test_what_comes_through_a_pipe_is_logged_as_a_childs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    messages: list[str] = []
    sink = logger.add(lambda message: messages.append(message.record["message"]))
    output = OutputPipe()
    os.write(output.write_end, b'{"level": "error"}\nanother\n')
    output.close()
    try:
        output.join(timeout_s=60)
    finally:
        logger.remove(sink)
    assert messages == ['A child has printed: {"level": "error"}', "A child has printed: another"]
