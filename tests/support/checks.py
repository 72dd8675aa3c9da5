"""What every check that finds something has, and servers that lack something."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from lexiclass_worker.telemetry.checks.outcome import Check, State


def warned(check: Check) -> str:
    """What a warning says, which names what mends it."""
    assert (check.state, bool(check.remedy)) == (State.WARN, True), check
    return check.told


def failed(check: Check) -> str:
    """What a failure says, which names what mends it."""
    assert (check.state, bool(check.remedy)) == (State.FAIL, True), check
    return check.told


def passed(check: Check) -> str:
    """What is there."""
    assert check.state is State.PASS, check
    return check.found


@contextmanager
def configured(url: str, **values: str) -> Iterator["redis.Redis"]:
    """A Redis with other settings for the time of a ``with`` block."""
    with redis.Redis.from_url(url) as client:
        before = {name: client.config_get(name)[name] for name in values}
        for name, value in values.items():
            client.config_set(name, value)
        try:
            yield client
        finally:
            for name, value in before.items():
                client.config_set(name, value)
