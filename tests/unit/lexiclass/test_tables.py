"""Tables and fields at the widths that terminals have."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from lexiclass.cli import output
from lexiclass.cli.fields import render_fields
from lexiclass.cli.tables import Column, prose, render_rows
from lexiclass.cli.values import duration, show, to_json

KEY = "0f4c1f9a-6a34-4a2c-9a53-9d1b8a6d2c11"
MESSAGE = "the model of field 3 cannot be read: its manifest names a file that is not there"
ROW = {
    "key": KEY,
    "code": "MODEL_CORRUPT",
    "type": "predict_field_documents",
    "task_id": 12,
    "message": MESSAGE,
}
COLUMNS = ("key", "code", "type", "task_id", prose("message"))


def lines(width: int, *rows: dict[str, object], columns: tuple[Any, ...] = COLUMNS) -> list[str]:
    return [line.plain for line in render_rows(columns, rows, Console(width=width))]


@pytest.mark.parametrize("width", [38, 60, 80, 120, 1_000_000])
def test_nothing_is_cut_at_any_width(width: int) -> None:
    shown = lines(width, ROW, ROW | {"task_id": 13, "message": None})
    assert max(map(len, shown)) <= width
    text = " ".join(" ".join(shown).split())
    for value in (KEY, "MODEL_CORRUPT", "predict_field_documents", "12", "13"):
        assert value in text
    assert all(word in text for word in MESSAGE.split())


def test_a_row_is_a_line_where_it_fits() -> None:
    assert len(lines(1_000_000, ROW, ROW)) == 3


def test_what_does_not_fit_goes_below_its_row_with_its_name() -> None:
    header, first, *below = lines(60, ROW)
    assert header.split() == ["key", "code"]
    assert first.split() == [KEY, "MODEL_CORRUPT"]
    assert below[0] == "  type predict_field_documents, task_id 12"
    assert below[1].startswith("  message: the model of field 3")


def test_prose_is_wrapped_before_a_column_is_folded() -> None:
    shown = lines(40, {"check": "tables", "reason": MESSAGE}, columns=("check", prose("reason")))
    assert shown[0] == "check   reason"
    assert len(shown) > 2
    assert all(line.startswith(" " * 8) for line in shown[2:])


def test_numbers_are_aligned_to_the_right_and_wide_characters_counted_as_two() -> None:
    rows = [{"class": "日本語", "n": 5}, {"class": "a", "n": 1_234}]
    shown = lines(80, *rows, columns=("class", "n"))
    assert shown == ["class      n", "日本語     5", "a       1234"]
    assert cell_len(shown[1]) == cell_len(shown[2])


def test_a_table_without_rows_has_its_header() -> None:
    assert lines(80) == ["key  code  type  task_id  message"]


def test_a_value_can_bring_its_style() -> None:
    (_, line) = render_rows(("a",), [{"a": Text("x", style="green")}], Console(width=80))
    assert [span.style for span in line.spans] == ["green"]


def test_commands_of_a_terminal_are_shown_and_not_obeyed() -> None:
    shown = lines(80, {"name": "a\x1b[31mb\x9bc\ud800"}, columns=("name",))
    assert shown[1] == r"a\x1b[31mb\x9bc\ud800"


def test_square_brackets_are_text() -> None:
    assert lines(80, {"name": "[bold]x[/]"}, columns=("name",))[1] == "[bold]x[/]"


def fields(width: int, **values: object) -> list[str]:
    return [line.plain for line in render_fields(values, Console(width=width))]


def test_what_is_nested_is_indented_and_units_are_said() -> None:
    shown = fields(
        80,
        id=5,
        result={"accuracy": 0.83333333, "seconds": {"tokenize": 65.2, "features": 0.01234567}},
        size_bytes=1_234_567,
        error=None,
    )
    assert shown == [
        "id            5",
        "result",
        "  accuracy    0.8333",
        "  seconds",
        "    tokenize  1 min 5 s",
        "    features  0.012 s",
        "size          1.2 MB",
        "error         -",
    ]


@pytest.mark.parametrize("width", [30, 60, 80])
def test_long_values_are_wrapped_beside_their_names_or_below(width: int) -> None:
    shown = fields(width, error={"code": "MODEL_CORRUPT", "message": MESSAGE}, key=KEY)
    assert max(map(len, shown)) <= width
    together = "".join("".join(shown).split())
    assert KEY in together
    assert "".join(MESSAGE.split()) in together


def test_long_lists_say_how_many_more_there_are() -> None:
    (line,) = fields(1_000, document_ids=list(range(1_000)))
    assert line.endswith("18, 19, and 980 more; --json has them all")
    shown = fields(200, skipped=[{"document_id": n, "reason": "empty"} for n in range(30)])
    assert shown[0] == "skipped  document_id 0, reason empty"
    assert (len(shown), shown[-1].strip()) == (21, "and 10 more; --json has them all")


@pytest.mark.parametrize(
    ("value", "name", "text"),
    [
        (0.123456789012345, "", "0.1235"),
        (12_345.678, "", "12,346"),
        (1e-9, "", "1e-09"),
        (float("nan"), "", "nan"),
        (True, "", "yes"),
        ([], "", "-"),
        ({}, "", "-"),
        (["a", 1], "", "a, 1"),
        ({"a": 0.5}, "", "a 0.5"),
        (3, "age_s", "3 s"),
        (3, "ids", "3"),
        (59.7, "age_s", "1 min 0 s"),
    ],
)
def test_values_are_said_in_words(value: object, name: str, text: str) -> None:
    assert show(value, name) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0004, "0 s"),
        (0.31, "0.31 s"),
        (1.234, "1.23 s"),
        (65, "1 min 5 s"),
        (7_800, "2 h 10 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations_are_said_in_the_units_of_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_json_has_times_and_what_no_encoding_has() -> None:
    assert '"2026-01-02T03:04:05+00:00"' in to_json(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert to_json("\ud800") == '"\\ud800"'


def test_a_column_is_named_without_the_unit_that_is_shown() -> None:
    assert Column("oldest_age_s").header == "oldest_age"
    assert Column("seconds").header == "seconds"


HOSTILE = "a\x1b[2J\u202eb\u2066c\x9b\u2028\u200fd [e]"
HARMLESS = r"a\x1b[2J\u202eb\u2066c\x9b\u2028" + "\u200fd [e]"


def _in_a_line(text: str) -> str:
    return "".join(text.replace(r"\u2028", "").split())


@pytest.mark.parametrize("stream", ["console", "errors"])
def test_what_turns_or_commands_a_terminal_is_shown_as_text(
    stream: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printer = getattr(output, stream)
    for printed in (
        lambda: printer.print(f"name: {escape(HOSTILE)}"),
        lambda: printer.print(HOSTILE, markup=False, soft_wrap=True),
        lambda: output.print_rows(("name",), [{"name": HOSTILE}], title=HOSTILE),
        lambda: output.print_rows((HOSTILE,), [{HOSTILE: 1}]),
        lambda: output.print_fields({HOSTILE: HOSTILE}),
        lambda: output.print_text(escape(HOSTILE)),
        lambda: output.warn(HOSTILE),
    ):
        printed()
        captured = capsys.readouterr()
        shown = captured.out + captured.err
        # A warning is one line, whatever line ends it has.
        assert _in_a_line(HARMLESS) in _in_a_line(shown)
        assert not re.search("[\x1b\x9b\u202e\u2066\u2028]", shown)


def test_json_has_the_same_values_and_nothing_that_a_terminal_obeys() -> None:
    value = {"name": HOSTILE, "other": "上 \u200d"}
    shown = to_json(value)
    assert json.loads(shown) == value
    assert not re.search("[\x1b\x9b\u202e\u2066\u2028]", shown)
    assert "上 \u200d" in shown
