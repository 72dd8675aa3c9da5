"""Dramatiq's series and the log context, under a real worker group of two processes."""

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker

from lexiclass_worker.config import export_environment
from lexiclass_worker.embedded import EmbeddedRedis

APP = """
import logging
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware, Retries, SkipMessage
from loguru import logger

from lexiclass_worker.config import load_settings
from lexiclass_worker.middleware.log_context import LogContext
from lexiclass_worker.middleware.metrics import Metrics

settings = load_settings()


class Skip(Middleware):
    def __init__(self, where):
        self.where = where

    def before_process_message(self, broker, message):
        if message.options.get("skip") == self.where:
            raise SkipMessage()


broker = RedisBroker(
    url=settings.dramatiq.broker_url.get_secret_value(),
    # A killed worker's messages do not come back while a test looks.
    heartbeat_timeout=3_600_000,
    middleware=[
        LogContext(settings), Skip("before"), Metrics(settings), Skip("after"),
        Retries(max_retries=1, min_backoff=1, max_backoff=1),
    ],
)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="indexing")
def succeed(project_id):
    logger.info("working")
    time.sleep(0.1)  # long enough that one process cannot take them all
    logging.getLogger("library").warning("for %d", project_id)


@dramatiq.actor(queue_name="indexing")
def fail(project_id):
    raise RuntimeError(f"cannot reach {settings.dramatiq.broker_url.get_secret_value()}")


@dramatiq.actor(queue_name="training")
def hang(project_id):
    logger.info("hanging")
    time.sleep(60)
"""

OK = {"queue_name": "indexing", "actor_name": "succeed"}
FAIL = {"queue_name": "indexing", "actor_name": "fail"}
HANG = {"queue_name": "training", "actor_name": "hang"}
LABELS = re.compile(r'(\w+)="([^"]*)"')


@dataclass
class Group:
    """A worker group: `python -m dramatiq`, two processes of two threads."""

    directory: Path
    environment: dict[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def log_path(self) -> Path:
        return self.directory / "log"

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "dramatiq", "app", "-p", "2", "-t", "2"),
                    *("--path", str(self.directory), "--worker-shutdown-timeout", "1000"),
                ],
                env=self.environment,
                cwd=self.directory,
                stderr=log,
            )
        wait_until(lambda: self.samples() is not None, "the server answers")

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise

    def lines(self) -> list[dict[str, Any]]:
        """What the workers logged; the master's own lines are Dramatiq's text."""
        text = self.log_path.read_text()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def samples(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float] | None:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as response:
                body = response.read().decode()
        except OSError:
            return None
        samples = {}
        for line in body.splitlines():
            if not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                labels = frozenset(LABELS.findall(name))
                samples[name.partition("{")[0], labels] = float(value)
        return samples

    def value(self, name: str, labels: dict[str, str]) -> float | None:
        samples = self.samples()
        assert samples is not None
        return samples.get((name, frozenset(labels.items())))


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def broker_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), durable=False) as redis:
        yield redis.broker_url


@pytest.fixture(scope="module")
def group(broker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    directory = tmp_path_factory.mktemp("group")
    (directory / "app.py").write_text(APP)
    port = free_port()
    environment = export_environment(
        {
            "DRAMATIQ__BROKER_URL": broker_url,
            # Nobody there: /metrics must do without.
            "DATABASE_URI": "postgresql+asyncpg://lexi:pg-password@127.0.0.1:1/lexi",
            "METRICS__PORT": str(port),
            "METRICS__DIRECTORY": str(directory / "metrics"),
            "dramatiq_worker_timeout": "50",
            "dramatiq_restart_delay": "200",
        }
    )
    group = Group(directory, environment, port)
    group.start()
    yield group
    group.stop()


@pytest.fixture(scope="module")
def sender(broker_url: str) -> Iterator[RedisBroker]:
    broker = RedisBroker(url=broker_url, middleware=[])
    yield broker
    broker.client.connection_pool.disconnect()


@pytest.fixture(scope="module")
def worked(group: Group, sender: RedisBroker) -> Group:
    """The group after 20 successes, 3 failures, 2 skips and an actor nobody declared."""

    def send(actor: str, number: int, queue: str = "indexing", **options: object) -> None:
        message: dramatiq.Message[Any] = dramatiq.Message(
            queue_name=queue,
            actor_name=actor,
            args=(),
            kwargs={"project_id": number},
            options=options,
            message_id=f"{actor}-{number}",
        )
        sender.enqueue(message)

    for number in range(20):
        send("succeed", number, correlation_id=f"c-{number}")
    for number in range(3):
        send("fail", number)
    send("succeed", 100, skip="before")
    send("succeed", 101, skip="after")
    send("made-up-name-5f2c", 0)

    def is_done() -> bool:
        rejected = group.value("dramatiq_message_rejects_total", FAIL) or 0
        succeeded = group.value("dramatiq_messages_total", OK) or 0
        return rejected == 3 and succeeded == 20 and sender.do_qsize("indexing") == 0

    wait_until(is_done, "all messages are done with")
    return group


def test_messages_are_counted_exactly_over_two_processes(worked: Group) -> None:
    assert worked.value("dramatiq_messages_total", OK) == 20
    assert worked.value("dramatiq_messages_total", FAIL) == 6
    assert worked.value("dramatiq_message_errors_total", FAIL) == 6
    assert worked.value("dramatiq_message_duration_milliseconds_count", OK) == 20
    assert worked.value("dramatiq_message_duration_milliseconds_count", FAIL) == 6


def test_both_processes_took_part(worked: Group) -> None:
    wait_until(
        lambda: len({line["pid"] for line in worked.lines() if line["message"] == "working"}) == 2,
        "lines of both",
    )


def test_a_retry_counts_once_and_a_dead_letter_once(worked: Group) -> None:
    assert worked.value("dramatiq_message_retries_total", FAIL) == 3
    assert worked.value("dramatiq_message_rejects_total", FAIL) == 3


def test_skipped_messages_are_neither_in_progress_nor_processed(worked: Group) -> None:
    skipped = [line for line in worked.lines() if "was skipped" in line["message"]]
    assert {line["message_id"] for line in skipped} == {"succeed-100", "succeed-101"}
    assert worked.value("dramatiq_messages_inprogress", OK) == 0
    assert worked.value("dramatiq_messages_inprogress", FAIL) == 0


def test_delayed_messages_are_in_memory_no_more(worked: Group) -> None:
    assert worked.value("dramatiq_delayed_messages_inprogress", FAIL) == 0


def test_a_name_that_nobody_declared_is_no_label(worked: Group) -> None:
    unknown = {"queue_name": "indexing", "actor_name": "unknown"}
    assert worked.value("dramatiq_message_rejects_total", unknown) == 1
    samples = worked.samples()
    assert samples is not None
    assert not any("made-up-name" in value for _, labels in samples for _, value in labels)


def test_every_line_of_a_task_carries_its_ids(worked: Group) -> None:
    lines = [line for line in worked.lines() if line["message"].startswith(("working", "for "))]
    assert len(lines) == 40
    for line in lines:
        number = line["project_id"]
        assert line["message_id"] == f"succeed-{number}"
        assert line["correlation_id"] == f"c-{number}"
        assert (line["actor"], line["queue"]) == ("succeed", "indexing")


def test_retries_are_logged_with_their_traceback_but_no_password(
    worked: Group, broker_url: str
) -> None:
    failures = [line for line in worked.lines() if line["message"].startswith("Failed to process")]
    # What a process says twice is told once, and counted later.
    assert {line["message_id"] for line in failures} == {f"fail-{number}" for number in range(3)}
    password = broker_url.partition(":")[2].partition("@")[0].removeprefix("//:")
    assert all("redis://:***@" in line["exception"]["traceback"] for line in failures)
    assert password not in worked.log_path.read_text()


def test_no_line_is_there_twice(worked: Group) -> None:
    ready = re.findall(r"Worker process is ready for action", worked.log_path.read_text())
    assert len(ready) == 2


def test_a_database_that_is_down_costs_its_series_only(worked: Group) -> None:
    assert worked.value("lexiclass_scrape_errors", {"source": "postgresql"}) == 1
    assert worked.value("lexiclass_scrape_errors", {"source": "redis"}) == 0
    assert worked.value("lexiclass_queue_messages", {"queue": "indexing", "state": "dead"}) == 4
    assert "pg-password" not in worked.log_path.read_text()


@pytest.mark.slow
def test_a_killed_worker_is_in_progress_no_more_and_counters_go_on(
    worked: Group, sender: RedisBroker
) -> None:
    hang: dramatiq.Message[Any] = dramatiq.Message(
        queue_name="training", actor_name="hang", args=(), kwargs={"project_id": 1}, options={}
    )
    sender.enqueue(hang)
    wait_until(lambda: worked.value("dramatiq_messages_inprogress", HANG) == 1, "it runs")
    wait_until(lambda: any(line["message"] == "hanging" for line in worked.lines()), "it says so")
    (pid,) = {line["pid"] for line in worked.lines() if line["message"] == "hanging"}

    subprocess.run(["kill", f"-{signal.SIGKILL}", str(pid)], check=True)
    assert worked.process is not None
    assert worked.process.wait(20) != 0
    worked.start()

    assert not worked.value("dramatiq_messages_inprogress", HANG)
    assert worked.value("dramatiq_messages_total", OK) == 20
    again: dramatiq.Message[Any] = dramatiq.Message(
        queue_name="indexing", actor_name="succeed", args=(), kwargs={"project_id": 1}, options={}
    )
    sender.enqueue(again)
    wait_until(lambda: worked.value("dramatiq_messages_total", OK) == 21, "it goes on")


@pytest.mark.slow
def test_a_group_that_is_told_to_stop_ends_in_order(worked: Group) -> None:
    worked.stop()

    assert worked.process is not None
    assert worked.process.returncode == 0
    assert worked.samples() is None
    assert "metrics and health end: signal" in [line["message"] for line in worked.lines()]
    metrics = worked.directory / "metrics"
    assert [path.name for path in metrics.iterdir() if "gauge" in path.name] == []
