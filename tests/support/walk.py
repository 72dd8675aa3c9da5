"""What an operator has before him: workers under a supervisor, servers, a disk, and Prometheus."""

import asyncio
import json
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import psutil

from lexiclass_core.client import TaskClient
from lexiclass_worker.embedded import EmbeddedPostgres, EmbeddedRedis
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.worker_group import dramatiq_command
from tests.support.chaos import SupervisedGroup
from tests.support.corpora import SmallProject, make_text
from tests.support.databases import migrate
from tests.support.disks import mounted_disk
from tests.support.house import House, open_house
from tests.support.processes import sandbox_children
from tests.support.prometheus import Prometheus, hasty_rules, running_prometheus
from tests.support.workers import wait_until


@dataclass(frozen=True, slots=True)
class Walk:
    """Two worker groups that are kept up, on servers and a disk of their own, watched."""

    house: House
    redis: EmbeddedRedis
    postgres: EmbeddedPostgres
    disk: Path
    prometheus: Prometheus
    groups: list[SupervisedGroup]
    trained: SmallProject
    slow: SmallProject

    def submit_prediction(self) -> int:
        """Submit as an API does: written to PostgreSQL, and sent if Redis takes it."""
        environment = self.house.environment
        with TaskClient(
            database_uri=environment["DATABASE_URI"],
            broker_url=environment["DRAMATIQ__BROKER_URL"],
            namespace=environment["DRAMATIQ__NAMESPACE"],
        ) as client:
            return client.predict(self.trained.project_id, self.trained.field_id, None).id

    def succeeds(self, task_id: int) -> None:
        """Wait until a task has succeeded."""
        statement = "SELECT status FROM task WHERE id = :id"
        wait_until(
            lambda: self.house.database.value(statement, id=task_id) == "succeeded", timeout_s=240
        )

    def begin_training(self) -> tuple[str, SupervisedGroup, psutil.Process]:
        """Begin a training of some seconds. Returns its message, and the group and who runs it."""
        message_id = self.house.send_training(self.slow)
        statement = (
            "SELECT w.pid, w.group_pid FROM task t JOIN worker w ON w.name = t.lease_owner "
            "WHERE t.message_id = :id AND t.stage IS NOT NULL"
        )
        row = wait_until(lambda: self.house.database.row(statement, id=message_id), poll_s=0.02)
        (group,) = (each for each in self.groups if each.pid() == row["group_pid"])
        wait_until(lambda: sandbox_children(group.pid()), poll_s=0.02)
        return message_id, group, psutil.Process(row["pid"])

    def found(self, check: str) -> str:
        """What ``/readyz`` says of a check that fails, with what mends it."""
        try:
            with urllib.request.urlopen(self.readiness_url, timeout=30):
                raise AssertionError("the group says that it is ready")
        except urllib.error.HTTPError as error:
            checks = json.load(error)["checks"]
        (found,) = (each for each in checks if each["name"] == check)
        assert not found["ok"]
        assert found["remedy"]
        return f"{found['found']} -> {found['remedy']}"

    @property
    def readiness_url(self) -> str:
        """Of the first group."""
        return f"http://127.0.0.1:{self.groups[0].metrics_port}/readyz"

    def warnings(self, since: str) -> list[str]:
        """Every warning of ours that workers have logged since a moment, in ISO 8601."""
        lines = [line for group in self.groups for line in group.log.read_text().splitlines()]
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [
            entry["message"]
            for entry in entries
            if entry["time"] >= since
            and entry["level"] in {"WARNING", "ERROR", "CRITICAL"}
            and entry["logger"].startswith("lexiclass")
        ]


@contextmanager
def open_walk() -> Iterator[Walk]:
    """All that, for the time of a ``with`` block."""
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lexiclass-walk-")))
        broker = stack.enter_context(EmbeddedRedis(path / "redis", durable=True))
        postgres = stack.enter_context(EmbeddedPostgres(path / "postgres", durable=True))
        asyncio.run(migrate(postgres.database_uri))
        disk = stack.enter_context(mounted_disk(path / "disk", size="256m"))
        house = stack.enter_context(open_house(postgres.database_uri, broker.broker_url, disk))
        # As they come, and logs where no disk fills up.
        del house.environment["RETRIES__MIN_BACKOFF_S"]
        house.directory = path
        house.environment["STORAGE__CACHE_DIRECTORY"] = str(path / "cache")
        groups = [
            SupervisedGroup(
                name,
                dramatiq_command(processes=1, threads=2, queues=()),
                house.environment,
                path / f"{name}.log",
                free_port(),
            )
            for name in ("one", "two")
        ]
        over = Event()
        supervisor = Thread(target=_supervise, args=(groups, over))
        supervisor.start()
        stack.callback(supervisor.join)
        stack.callback(over.set)
        for group in groups:
            group.keep_up()
            stack.callback(group.close)
        (path / "prometheus").mkdir()
        prometheus = stack.enter_context(
            running_prometheus(path / "prometheus", rules=hasty_rules(), interval="2s")
        )
        prometheus.scrape(**{group.name: group.metrics_port for group in groups})
        trained, slow = house.project(), house.project(training=2, test=0)
        _make_slow(house, slow)
        house.train(trained)
        yield Walk(house, broker, postgres, disk, prometheus, groups, trained, slow)


def _make_slow(house: House, project: SmallProject) -> None:
    """Let a training take a second or so to read: time to kill it, and no more."""
    for document_id in project.training_ids:
        text = make_text(project.true_class[document_id], document_id, words=5_000) * 150
        # Without a blank, no piece of it is known from before.
        house.document_file(project, document_id).write_text(text.replace(" ", "/"))


def _supervise(groups: list[SupervisedGroup], over: Event) -> None:
    while not over.wait(1):
        for group in groups:
            group.keep_up()
