"""What operators see of workers at work: metrics, health and logs; and what nobody may see."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from lexiclass_worker.embedded import EmbeddedServers
from tests.support.corpora import SmallProject
from tests.support.databases import Databases
from tests.support.house import House, lent_house
from tests.support.workers import wait_until

# Two processes of their own for the day. What they count, log and hide is tested in
# tests/integration as well, of a group of two in test_metrics_middleware.
pytestmark = pytest.mark.slow

ID_LIKE = re.compile(r"\d{3,}|[0-9a-f]{8}-")


@dataclass(frozen=True, slots=True)
class Observed:
    """A worker group of two processes after a day's work, still running."""

    house: House
    project: SmallProject
    port: int
    log: Path
    message_ids: dict[str, list[str]]

    def get(self, path: str) -> tuple[int, str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as response:
            return response.status, response.read().decode()

    def samples(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
        }

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="module")
def observed(
    servers: EmbeddedServers, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Observed]:
    directory = tmp_path_factory.mktemp("observed")
    with (
        lent_house(servers, databases, directory) as house,
        house.worker(processes=2, threads=1, LOG_LEVEL="DEBUG") as group,
    ):
        project = house.project()
        trained = house.send_training(project)
        house.database.succeeded(trained)
        predicted = [house.send_prediction(project, project.test_ids) for _ in range(6)]
        refused = [house.send("index_documents", project_id=1234567 + n) for n in range(3)]
        for message_id in predicted:
            house.database.succeeded(message_id)
        for message_id in refused:
            house.database.failed(message_id)
        house.wait_settled()
        house.send_training(project, message_id=trained)
        house.wait_settled()
        yield Observed(
            house,
            project,
            group.metrics_port,
            group.log,
            {"trained": [trained], "predicted": predicted, "refused": refused},
        )


def test_metrics_of_all_processes_count_every_message_once(observed: Observed) -> None:
    def counts() -> dict[str, dict[tuple[str, ...], float]]:
        names = {
            "dramatiq_messages_total": ("queue_name", "actor_name"),
            "dramatiq_message_errors_total": ("queue_name", "actor_name"),
            "dramatiq_message_rejects_total": ("queue_name", "actor_name"),
            "dramatiq_message_duration_milliseconds_count": ("queue_name", "actor_name"),
            "lexiclass_task_duration_seconds_count": ("queue", "actor", "outcome"),
        }
        found: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in names}
        for (name, labels), value in observed.samples().items():
            if name in names:
                found[name][tuple(dict(labels)[label] for label in names[name])] = value
        return found

    messages = {
        ("training", "train_field_model"): 2,
        ("prediction", "predict_field_documents"): 6,
        ("indexing", "index_documents"): 3,
    }
    refused = {("indexing", "index_documents"): 3}
    expected = {
        "dramatiq_messages_total": messages,
        "dramatiq_message_errors_total": refused,
        "dramatiq_message_rejects_total": refused,
        "dramatiq_message_duration_milliseconds_count": messages,
        "lexiclass_task_duration_seconds_count": {
            ("training", "train_field_model", "succeeded"): 1,
            ("training", "train_field_model", "skipped"): 1,
            ("prediction", "predict_field_documents", "succeeded"): 6,
            ("indexing", "index_documents", "failed"): 3,
        },
    }
    # A message is counted a moment after it has left its queue.
    wait_until(lambda: counts() == expected or None)


def test_a_model_is_loaded_once_in_each_process(observed: Observed) -> None:
    samples = observed.samples()
    hits, misses = (
        samples.get(("lexiclass_model_cache_total", (("result", result),)), 0)
        for result in ("hit", "miss")
    )
    assert hits + misses == 6
    assert 1 <= misses <= 2


def test_documents_are_counted_by_operation(observed: Observed) -> None:
    samples = observed.samples()
    assert samples["lexiclass_documents_processed_total", (("operation", "train"),)] == len(
        observed.project.training_ids
    )
    assert samples["lexiclass_documents_processed_total", (("operation", "predict"),)] == 6 * len(
        observed.project.test_ids
    )


def test_each_task_has_waited_once_and_each_job_took_memory(observed: Observed) -> None:
    samples = observed.samples()
    waits = {
        queue: samples["lexiclass_task_wait_seconds_count", (("queue", queue),)]
        for queue in ("training", "prediction", "indexing")
    }
    # The second message of the training came to a row that is final.
    assert waits == {"training": 1, "prediction": 6, "indexing": 3}
    jobs = {
        dict(labels)["function"]: value
        for (name, labels), value in samples.items()
        if name == "lexiclass_child_memory_peak_bytes_count"
    }
    assert jobs["train_model"] == 1
    assert jobs["predict_documents"] == 6


def test_queues_and_tasks_are_told_as_they_are(observed: Observed) -> None:
    samples = observed.samples()
    for queue, dead in {"indexing": 3, "training": 0, "prediction": 0}.items():
        found = {
            state: samples["lexiclass_queue_messages", (("queue", queue), ("state", state))]
            for state in ("ready", "in_progress", "delayed", "dead")
        }
        assert found == {"ready": 0, "in_progress": 0, "delayed": 0, "dead": dead}
    tasks = {
        labels: value for (name, labels), value in samples.items() if name == "lexiclass_tasks"
    }
    assert {labels: value for labels, value in tasks.items() if value} == {
        (("status", "failed"), ("type", "index_documents")): 3,
        (("status", "succeeded"), ("type", "train_field_model")): 1,
        (("status", "succeeded"), ("type", "predict_field_documents")): 6,
    }


def test_no_label_takes_an_id(observed: Observed) -> None:
    for name, labels in observed.samples():
        taken = {label: value for label, value in labels if label != "le"}
        assert not any(ID_LIKE.search(value) for value in taken.values()), (name, taken)
        assert not any(label.endswith("_id") for label in taken), (name, taken)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_says_yes_while_all_is_well(observed: Observed, path: str) -> None:
    assert observed.get(path)[0] == 200


def test_every_line_of_a_task_carries_its_ids(observed: Observed) -> None:
    ids = {message_id for group in observed.message_ids.values() for message_id in group}
    lines = [line for line in observed.lines() if line.get("message_id") in ids]
    assert {line["message_id"] for line in lines} == ids
    for line in lines:
        assert line["correlation_id"] == line["message_id"]
        assert line["actor"]
        assert line["project_id"]
        if line["actor"] != "index_documents":
            assert line["project_id"] == observed.project.project_id
            assert line["field_id"] == observed.project.field_id
    # Whoever mentions a message in the text of a line must say so in its fields too.
    own = [line for line in observed.lines() if line["logger"].startswith("lexiclass")]
    for line in own:
        for message_id in ids:
            assert message_id not in line["message"] or line.get("message_id") == message_id


def test_every_line_of_the_log_is_json_with_time_level_and_logger(observed: Observed) -> None:
    lines = observed.lines()
    assert lines
    assert [line for line in lines if not {"time", "level", "logger", "message"} <= set(line)] == []


def test_no_line_row_or_key_holds_a_password(observed: Observed) -> None:
    environment = observed.house.environment
    passwords = {
        urlsplit(environment[name]).password or ""
        for name in ("DATABASE_URI", "DRAMATIQ__BROKER_URL")
    }
    assert all(len(password) > 8 for password in passwords)
    rows = observed.house.database.rows("SELECT * FROM task")
    places = {"log": observed.log.read_text(), "rows": repr(rows), "redis": redis_dump(observed)}
    for place, content in places.items():
        for password in passwords:
            assert password not in content, place


def redis_dump(observed: Observed) -> str:
    """Every key and value, as text. DUMP would compress them."""
    client = observed.house.sender.broker.client
    read: dict[bytes, Callable[[bytes], object]] = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
    }
    return "\n".join(
        f"{key!r} {read[kind](key)!r}"
        for key in client.scan_iter()
        if (kind := client.type(key)) in read  # and not gone meanwhile
    )
