"""What people see of a task that they watch."""

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from lexiclass_core.client import TaskEvent
from lexiclass_core.models import TaskStatus
from lexiclass_worker.cli.follow import note_of, view_on

NOW = datetime(2026, 5, 6, 12, tzinfo=UTC)


def event(status: str = "started", **fields: Any) -> TaskEvent:
    return TaskEvent(task_id=5, status=TaskStatus(status), at=NOW, **{"progress": 0, **fields})


WORK: dict[str, Any] = {
    "stage": "predict",
    "unit": "documents",
    "done": 1_200,
    "total": 5_000,
    "rate": 310.0,
}


@pytest.mark.parametrize(
    ("seen", "note"),
    [
        (event("pending"), "queued"),
        (event("pending", queue_position=0), "queued, 0 before it"),
        (event("pending", queue_position=1_000), "queued, 1,000 before it"),
        (event(), "started"),
        (event(stage="load"), "load"),
        (event(**WORK), "predict 1,200 of 5,000 documents, 310 documents/s"),
        (
            event(**WORK, eta_s=12.3),
            "predict 1,200 of 5,000 documents, 310 documents/s, 12 s left of this stage",
        ),
        (
            event(**WORK, eta_s=12.3, task_eta_s=3_725.0, attempt=2),
            "predict 1,200 of 5,000 documents, 310 documents/s, 1 h 2 min left, attempt 2",
        ),
        (event("retrying", attempt=1, max_attempts=3), "attempt 1 of 3 failed, trying again"),
        (event("succeeded", progress=100), "succeeded"),
        (event("cancelled", progress=40), "cancelled"),
    ],
)
def test_an_event_is_told_in_one_line(seen: TaskEvent, note: str) -> None:
    assert note_of(seen) == note


def test_a_task_that_is_not_due_says_when_it_is() -> None:
    later = event("pending", not_before=NOW + timedelta(hours=1))
    assert note_of(later).startswith("waits until 2026-05-0")


def test_a_task_that_was_put_off_says_what_it_waits_for() -> None:
    seen = event("pending", stage="wait", next_attempt_at=NOW)
    assert note_of(seen) == "waits for other tasks of its project to end"


def shown(
    *events: TaskEvent, is_terminal: bool, width: int = 140, name: str = "task 5 train"
) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, width=width)
    with view_on(console)(name) as show:
        for seen in events:
            show(seen)
    return out.getvalue()


def test_a_file_gets_a_line_where_something_changed() -> None:
    busy = [event(**{**WORK, "done": done}, progress=done // 50) for done in range(0, 5_000, 100)]
    text = shown(
        event("pending", queue_position=2), *busy, event("succeeded", progress=100),
        is_terminal=False,
    )  # fmt: skip

    assert text.splitlines() == [
        "task 5 train:   0 % queued, 2 before it",
        "task 5 train:   0 % predict 0 of 5,000 documents, 310 documents/s",
        "task 5 train: 100 % succeeded",
    ]


def test_a_terminal_gets_a_bar() -> None:
    text = shown(event(**WORK, progress=24), event("succeeded", progress=100), is_terminal=True)

    assert "━" in text
    assert "100 %" in text
    assert "succeeded" in text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_bar_and_its_time_are_whole_at_every_width(width: int) -> None:
    busy = event(**WORK, progress=24, eta_s=12.3, task_eta_s=3_725.0, attempt=2)
    text = shown(busy, is_terminal=True, width=width, name="task 12345 predict_field_documents")
    plain = re.sub(r"\x1b[^A-Za-z]*[A-Za-z]", "", text)
    bar, note = [line.rpartition("\r")[2] for line in plain.rstrip().split("\n")][-2:]

    assert re.fullmatch(
        r". task 12345 predict_field_documents [━╸╺ ]{8,40}  24 % \d:\d\d:\d\d", bar.strip()
    )
    assert max(len(bar), len(note)) <= width
    assert note.startswith("  predict 1,200 of 5,000 documents, 310 documents/s, ")
    assert note.endswith("…" if width < 80 else "1 h 2 min left, attempt 2")
