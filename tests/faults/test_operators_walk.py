"""What an operator sees of each fault, and how long until he sees it and until it is over.

Each fault of "When something dies" in docs/ARCHITECTURE.md is caused to workers with the settings
they come with, under a supervisor that starts them again. Prometheus has the rules of
deploy/prometheus, but that none waits. ``make walk`` prints what is measured.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from tests.support.chaos import SupervisedGroup
from tests.support.measuring import Measured
from tests.support.outages import (
    full_disk,
    full_redis,
    read_only_disk,
    read_only_postgresql,
    stopped,
)
from tests.support.processes import sandbox_children
from tests.support.prometheus import alerts
from tests.support.walk import Walk, open_walk
from tests.support.workers import wait_until

pytestmark = [pytest.mark.prometheus, pytest.mark.walk, pytest.mark.timeout(600)]

PAGE = (Path(__file__).parents[2] / "docs" / "TROUBLESHOOTING.md").read_text()
EXPLAINED = [
    re.compile(re.sub(r"\\{.*?\\}|%[a-z]", ".*", re.escape(line)), re.DOTALL)
    for line in re.findall(r"^\| `(.+?)` \|", PAGE.partition("## Log lines")[2], re.MULTILINE)
]


@pytest.fixture(scope="module")
def walk() -> Iterator[Walk]:
    with open_walk() as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Outage:
    """Something that lasts until somebody mends it.

    Attributes:
        cause: Is so for the time of a ``with`` block.
        alert: What is raised.
        check: What `/readyz` calls it.
        takes_tasks: Whether what is submitted meanwhile succeeds once it is mended. A full disk is
            looked at again after minutes, and a read-only one fails a task.
    """

    cause: Callable[[Walk], AbstractContextManager[None]]
    alert: str
    check: str
    takes_tasks: bool = False


OUTAGES = {
    "Redis is away": Outage(lambda walk: stopped(walk.redis), "LexiclassRedisDown", "redis", True),
    "Redis is full": Outage(
        lambda walk: full_redis(walk.redis), "LexiclassRedisDown", "redis", True
    ),
    "PostgreSQL is away": Outage(
        lambda walk: stopped(walk.postgres), "LexiclassPostgresqlDown", "postgresql"
    ),
    "PostgreSQL is read-only": Outage(
        lambda walk: read_only_postgresql(walk.postgres), "LexiclassPostgresqlDown", "postgresql"
    ),
    "the storage is full": Outage(
        lambda walk: full_disk(walk.disk), "LexiclassNotReady", "storage"
    ),
    "the storage is read-only": Outage(
        lambda walk: read_only_disk(walk.disk), "LexiclassNotReady", "storage"
    ),
}


def note(measured: Measured, what: str, alert: str, seen_s: float, **s: float) -> None:
    waits = alerts()[alert].get("for", "0s")
    times = ", ".join(f"{name} {value:.1f} s" for name, value in s.items())
    measured(f"{what}: {alert} holds after {seen_s:.1f} s (for: {waits}), {times}")
    assert f"### {alert}\n" in PAGE


def wait_until_raised(walk: Walk, alert: str, began: float) -> float:
    wait_until(lambda: alert in walk.prometheus.firing(), poll_s=0.2)
    return time.monotonic() - began


def wait_until_calm(walk: Walk, alert: str | None) -> None:
    wait_until(lambda: len(walk.prometheus.query("up == 1")) == len(walk.groups))
    wait_until(lambda: alert not in walk.prometheus.firing(), timeout_s=240, poll_s=0.5)


def require_explained(lines: list[str]) -> None:
    unknown = [line for line in lines if not any(each.match(line) for each in EXPLAINED)]
    assert unknown == [], "lines that docs/TROUBLESHOOTING.md does not explain"


@pytest.mark.parametrize("what", OUTAGES)
def test_an_outage_is_told_named_and_over_with_its_cause(
    walk: Walk, measured: Measured, what: str
) -> None:
    outage = OUTAGES[what]
    wait_until_calm(walk, outage.alert)
    since, began = now(), time.monotonic()
    task_ids = []
    with outage.cause(walk):
        if outage.takes_tasks:
            task_ids.append(walk.submit_prediction())
        seen_s = wait_until_raised(walk, outage.alert, began)
        found = walk.found(outage.check)
    mended = time.monotonic()
    task_ids.append(walk.submit_prediction())
    # The last one first: it was not met by the outage.
    walk.succeeds(task_ids.pop())
    ends = {"the next task ends": time.monotonic() - mended}
    wait_until(lambda: outage.alert not in walk.prometheus.firing(), poll_s=0.2)
    ends["the alert goes"] = time.monotonic() - mended
    for task_id in task_ids:
        walk.succeeds(task_id)
        ends["that of meanwhile ends"] = time.monotonic() - mended
    note(measured, what, outage.alert, seen_s, **ends)
    measured(f"  {found}")
    require_explained(walk.warnings(since))


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def kill_child(group: SupervisedGroup, worker: psutil.Process) -> None:
    del worker
    for child in sandbox_children(group.pid()):
        child.kill()


def kill_worker(group: SupervisedGroup, worker: psutil.Process) -> None:
    del group
    worker.kill()


def kill_master(group: SupervisedGroup, worker: psutil.Process) -> None:
    del worker
    os.kill(group.pid(), signal.SIGKILL)


def kill_group(group: SupervisedGroup, worker: psutil.Process) -> None:
    del worker
    os.killpg(group.pid(), signal.SIGKILL)


def stall(group: SupervisedGroup, worker: psutil.Process) -> None:
    del group
    worker.suspend()


def terminate(group: SupervisedGroup, worker: psutil.Process) -> None:
    del worker
    group.restart()


DEATHS: dict[str, tuple[Callable[[SupervisedGroup, psutil.Process], None], str | None]] = {
    "a child is killed": (kill_child, "LexiclassCrashes"),
    "a worker is killed": (kill_worker, "LexiclassLeasesLapse"),
    "a master is killed": (kill_master, "LexiclassGroupDown"),
    "a group is killed": (kill_group, "LexiclassLeasesLapse"),
    "a worker stalls": (stall, "LexiclassLeasesLapse"),
    "a group is told to end": (terminate, None),
}


@pytest.mark.parametrize("what", DEATHS)
def test_a_death_is_told_and_costs_the_task_an_attempt_at_most(
    walk: Walk, measured: Measured, what: str
) -> None:
    cause, alert = DEATHS[what]
    wait_until_calm(walk, alert)
    since = now()
    message_id, group, worker = walk.begin_training()
    began = time.monotonic()
    began_at = datetime.now(UTC)
    try:
        cause(group, worker)
        seen_s = wait_until_raised(walk, alert, began) if alert is not None else 0.0
        task = walk.house.database.succeeded(message_id, timeout_s=240)
    finally:
        with suppress(psutil.NoSuchProcess):
            worker.resume()
    again_at = walk.house.database.value(
        "SELECT max(created_at) FROM task_event "
        "WHERE task_id = :id AND event IN ('started', 'lapsed')",
        id=task["id"],
    )
    again_s = (again_at - began_at).total_seconds()
    if alert is None:
        measured(f"{what}: no alert, the task is begun again after {again_s:.1f} s")
    else:
        note(measured, what, alert, seen_s, **{"the task is begun again after": again_s})
    assert again_s > 0
    assert task["crashes"] <= 1
    require_explained(walk.warnings(since))
