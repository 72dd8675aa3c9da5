"""What a child of the sandbox sends costs its worker little, whatever it is."""

import json
import logging
from typing import Any

import pytest
from loguru import logger

from lexiclass_worker.sandbox import replies
from lexiclass_worker.sandbox.child_logs import MOST_RECORDS, PERIOD_S, ChildLog, log_for_child
from lexiclass_worker.sandbox.replies import (
    CrashReport,
    crash,
    read_message,
    read_progress,
    read_reply,
)


def test_a_message_of_more_values_than_any_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replies, "_MOST_VALUES", 100)
    assert read_message(b'{"result": {}}') == {"result": {}}
    for bomb in (b'{"result": [' + b"[]," * 99 + b"0]}", b'{"result": [' + b"0," * 200 + b"0]}"):
        with pytest.raises(ValueError, match="more than 100 values"):
            read_message(bomb)


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"\xff", b"[" * 100_000, b"1" * 5000])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        read_message(data)


@pytest.mark.parametrize(
    "found",
    [
        ["read", 1],
        ["x" * 101, 1, 2],
        [1, 1, 2],
        ["read", "1", 2],
        ["read", float("nan"), 2],
        ["read", 1, 10**400],
        ["read", float("inf"), 2],
        ["read", [], 2],
        None,
    ],
)
def test_a_report_is_a_short_name_and_two_counts(found: Any) -> None:
    assert read_progress(["read", 1.5, 2]) == ("read", 1, 2)
    with pytest.raises((ValueError, TypeError)):
        read_progress(found)


@pytest.mark.parametrize("lookups", [["hit", "another"], ["hit"] * 1001, [["hit"]], "hit", 1])
def test_look_ups_are_hits_and_misses_and_few(lookups: Any) -> None:
    report = CrashReport()
    assert read_reply({"lookups": ["hit", "miss"], "result": {}}, report).lookups == ("hit", "miss")
    with pytest.raises((ValueError, TypeError)):
        read_reply({"lookups": lookups, "result": {}}, report)


@pytest.mark.parametrize("name", ["." * 300_000, "x." * 100_000, "one-more"])
def test_no_logger_is_made_for_a_name_of_a_child(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = set(logging.Logger.manager.loggerDict)
    with caplog.at_level("INFO"):
        log_for_child({"logger": name, "level": logging.WARNING, "text": "y" * 10**6})

    assert set(logging.Logger.manager.loggerDict) == before
    (record,) = caplog.records
    assert name.startswith(record.name)
    assert len(record.name) <= 200
    assert record.getMessage().endswith("... (1000000 characters)")
    assert len(record.getMessage()) < 21_000


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    error = crash(-50, CrashReport())

    assert json.dumps(error.details)
    assert "was killed by signal 50" in error.message


def test_a_child_that_logs_without_end_is_logged_in_bounds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    log = ChildLog(lambda: now)
    with caplog.at_level("INFO"):
        for _ in range(2):
            for number in range(10_000):
                log.take({"logger": "a", "level": logging.WARNING, "text": f"line {number}"})
            now += PERIOD_S
        log.end()
        log.end()

    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2 * (MOST_RECORDS + 1)
    assert said[0] == "line 0"
    assert (
        said[MOST_RECORDS]
        == said[-1]
        == (f"A child has logged {10_000 - MOST_RECORDS} more lines, which are left out")
    )


def test_a_traceback_without_end_is_logged_by_its_ends() -> None:
    said: list[str] = []
    sink = logger.add(said.append, format="{message}")
    error = {"code": "INTERNAL_ERROR", "message": "m", "details": {}, "retryable": False}
    try:
        traceback = "first" + "x" * 10**6 + "last"
        read_reply({"lookups": [], "error": error, "traceback": traceback}, CrashReport())
    finally:
        logger.remove(sink)

    (line,) = said
    assert len(line) < 25_000
    assert "first" in line
    assert line.rstrip().endswith("last")
