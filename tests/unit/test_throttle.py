"""A line that is repeated is said once, and then counted."""

import io
import json
import logging

import pytest
from loguru import logger

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.logs import configure_logging
from lexiclass_worker.telemetry.throttle import Throttle


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_repeated_line_is_counted_once_a_minute_until_it_ends() -> None:
    clock = Clock()
    throttle: Throttle[str] = Throttle(clock=clock)
    said: list[str] = []
    for second in range(260):
        clock.now = float(second)
        said += [f"{again.line} x{again.count}" for again in throttle.repetitions()]
        if second <= 130 and throttle.lets_through("down", "down"):
            said.append("down")

    assert said == ["down", "down x59", "down x60", "down x11"]
    assert throttle.lets_through("down", "down")


def test_what_is_remembered_is_bounded_and_what_was_counted_is_said() -> None:
    throttle: Throttle[int] = Throttle(clock=Clock())
    said: list[int] = []
    for number in range(1_000):
        said += [again.line for again in throttle.repetitions()]
        assert throttle.lets_through(number, number)
        assert not throttle.lets_through(number, number)

    assert len(throttle._said) <= 257
    assert said == list(range(len(said)))
    assert len(said) >= 700


@pytest.fixture
def stream() -> io.StringIO:
    found = io.StringIO()
    configure_logging(Settings(log_format="json"), stream=found)
    return found


def messages(stream: io.StringIO) -> list[str]:
    return [json.loads(line)["message"] for line in stream.getvalue().splitlines()]


def test_other_libraries_lines_are_counted_too(stream: io.StringIO) -> None:
    for _ in range(5):
        logging.getLogger("dramatiq.worker").critical("Consumer encountered a %s", "lost line")
        logging.getLogger("dramatiq.worker").info("Restarting consumer in %.2f seconds.", 3.0)
    logging.getLogger("dramatiq.broker").critical("Consumer encountered a lost line")

    assert messages(stream) == [
        "Consumer encountered a lost line",
        "Restarting consumer in 3.00 seconds.",
        "Consumer encountered a lost line",
    ]


def test_lines_of_two_tasks_and_two_failures_are_not_the_same(stream: io.StringIO) -> None:
    for message_id in ("a", "b", "a"):
        with logger.contextualize(message_id=message_id):
            logger.warning("Attempt 1 of 3 ended")
            logger.info("Task retrying")
    for error in (ValueError("x"), ValueError("y"), ValueError("x")):
        logger.opt(exception=error).error("failed unexpectedly")

    found = messages(stream)
    assert found.count("Attempt 1 of 3 ended") == 2
    assert found.count("Task retrying") == 3
    assert found.count("failed unexpectedly") == 2
