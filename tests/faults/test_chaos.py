"""Everything goes wrong at random, and nothing is lost or done twice.

``make test-faults LONG=1`` does more of it for longer. The seed that is printed gives the same
choices, though not the same moments: CHAOS_SEED=... repeats them.
"""

import asyncio
import json
import os
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from lexiclass import DocumentIndex, verify_model
from lexiclass_core.client import BrokerUnavailable, DatabaseUnavailable, TaskClient
from lexiclass_core.queue_config import QueueName
from lexiclass_core.schemas import (
    EvaluateFieldModel,
    IndexDocuments,
    PredictFieldDocuments,
    Request,
    TrainFieldModel,
)
from lexiclass_worker.embedded import EmbeddedPostgres, EmbeddedRedis
from lexiclass_worker.worker_group import dramatiq_command
from tests.support.chaos import Chaos, SupervisedGroup
from tests.support.corpora import SmallProject
from tests.support.database import FINAL, Row
from tests.support.databases import migrate
from tests.support.disks import mounted_disk
from tests.support.flaky_proxy import FlakyProxy, flaky_proxy
from tests.support.house import House, open_house
from tests.support.measuring import Measured
from tests.support.processes import sandbox_children
from tests.support.workers import wait_until

TASKS = int(os.environ.get("CHAOS_TASKS", "80"))
SECONDS = float(os.environ.get("CHAOS_SECONDS", "30"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
PROJECTS = 4

# What is tried again is tried until it succeeds, so that nothing but success is an end.
SETTINGS = {
    "RETRIES__MAX_ATTEMPTS": "1000",
    "RETRIES__MAX_CRASHES": "1000",
    "DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000",
    "RECONCILER__INTERVAL_S": "1",
    "RECONCILER__ORPHAN_AGE_S": "10",
    # The predictions of a whole project are divided.
    "PREDICTION__CHUNK_SIZE": "10",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """A house with projects that have a model each, two worker groups, and what can go wrong."""

    house: House
    chaos: Chaos
    groups: list[SupervisedGroup]
    projects: list[SmallProject]
    proxies: list[FlakyProxy]


@pytest.fixture(params=["near", "behind a flaky network", "in an object store"])
def scene(request: pytest.FixtureRequest) -> Iterator[Scene]:
    with ExitStack() as stack:
        # Pytest closes its own folders to the account of PostgreSQL whenever another run begins.
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="lexiclass-chaos-"))
        tmp_path = Path(name)
        redis = stack.enter_context(EmbeddedRedis(tmp_path / "redis", durable=True))
        postgres = stack.enter_context(EmbeddedPostgres(tmp_path / "postgres", durable=True))
        asyncio.run(migrate(postgres.database_uri))
        disk = stack.enter_context(mounted_disk(tmp_path / "disk", size="256m"))
        house = stack.enter_context(
            open_house(postgres.database_uri, redis.broker_url, disk, **SETTINGS)
        )
        # Logs and copies are not on the disk that fails.
        house.directory = tmp_path
        proxies = []
        if request.param == "in an object store":
            # What S3 is to the worker, without a server that would have to be supervised.
            house.environment["STORAGE__BASE_PATH"] = f"local://{house.storage}"
        if request.param == "behind a flaky network":
            for server, setting in ((redis, "DRAMATIQ__BROKER_URL"), (postgres, "DATABASE_URI")):
                proxy = stack.enter_context(
                    flaky_proxy(server.port, f"{SEED} {setting}", stalls=0.001, cuts=0.0005)
                )
                direct = house.environment[setting]
                house.environment[setting] = direct.replace(f":{server.port}", f":{proxy.port}")
                proxies.append(proxy)
        projects = [house.project() for _ in range(PROJECTS)]
        groups = [
            SupervisedGroup(
                name,
                dramatiq_command(processes=1, threads=2, queues=queues),
                house.environment,
                tmp_path / f"{name}.log",
            )
            for name, queues in {
                "all": (),
                "quick": (QueueName.PREDICTION, QueueName.BULK, QueueName.INDEXING),
            }.items()
        ]
        for group in groups:
            group.keep_up()
            stack.callback(group.close)
        for project in projects:
            house.train(project)
        yield Scene(house, Chaos(SEED, groups, redis, postgres, disk), groups, projects, proxies)


@pytest.mark.slow
@pytest.mark.timeout(300 + 12 * SECONDS)
def test_nothing_is_lost_or_done_twice_whatever_is_killed_and_fails(
    scene: Scene, measured: Measured
) -> None:
    house, choices = scene.house, random.Random(f"{SEED} tasks")
    measured(f"chaos: CHAOS_SEED={SEED} CHAOS_TASKS={TASKS} CHAOS_SECONDS={SECONDS:g}")
    began = time.monotonic()
    with open_client(house) as client, scene.chaos.going_on():
        for number in range(TASKS):
            submit(client, make_request(choices, scene.projects), f"task-{number}")
            ahead = began + SECONDS * number / TASKS - time.monotonic()
            time.sleep(max(0.0, ahead))
        # Whatever has not gone wrong by now still does.
        time.sleep(max(0.0, began + SECONDS - time.monotonic()))
    for proxy in scene.proxies:
        proxy.is_flaky = False
        scene.chaos.done += proxy.done
    stopped = time.monotonic()
    tasks = ended(scene, timeout_s=120 + 8 * SECONDS)
    measured(
        f"chaos: {len(tasks)} tasks, {sum(row['attempts'] for row in tasks)} attempts, "
        f"{sum(row['crashes'] for row in tasks)} crashes, the last ended "
        f"{time.monotonic() - stopped:.0f} s after the last of {sum(scene.chaos.done.values())} "
        f"faults: {', '.join(f'{name} {n}' for name, n in sorted(scene.chaos.done.items()))}"
    )
    assert Counter(row["status"] for row in tasks) == {"succeeded": len(tasks)}, [
        (row["id"], row["type"], row["error"]) for row in tasks if row["status"] != "succeeded"
    ]
    require_tidy(scene)
    for project in scene.projects:
        require_whole(house, project, [t for t in tasks if t["project_id"] == project.project_id])


def open_client(house: House) -> TaskClient:
    return TaskClient(
        database_uri=house.environment["DATABASE_URI"],
        broker_url=house.environment["DRAMATIQ__BROKER_URL"],
        namespace=house.environment["DRAMATIQ__NAMESPACE"],
        command_timeout_s=5,
    )


def make_request(choices: random.Random, projects: list[SmallProject]) -> Request:
    project = choices.choice(projects)
    ids = {"project_id": project.project_id, "field_id": project.field_id}
    some = choices.sample(project.document_ids, 5)
    kinds: list[Request] = [
        IndexDocuments(project_id=project.project_id, is_incremental=choices.random() < 0.5),
        TrainFieldModel.model_validate(ids),
        EvaluateFieldModel.model_validate(ids),
        PredictFieldDocuments.model_validate({**ids, "document_ids": None}),
        PredictFieldDocuments.model_validate({**ids, "document_ids": some}),
    ]
    (kind,) = choices.choices(kinds, weights=[1, 2, 1, 1, 5])
    return kind


def submit(client: TaskClient, request: Request, key: str) -> None:
    """Submit until it is known that the task is there, as an API does."""

    def is_there() -> bool:
        try:
            client.submit(request, idempotency_key=key)
        except (BrokerUnavailable, DatabaseUnavailable):
            return False
        return True

    wait_until(is_there, poll_s=0.2)


def ended(scene: Scene, *, timeout_s: float) -> list[Row]:
    """All tasks, once they are final."""

    def all_final() -> bool:
        scene.chaos.keep_up()
        open_tasks = "SELECT count(*) FROM task WHERE status <> ALL(:final)"
        return bool(scene.house.database.value(open_tasks, final=sorted(FINAL)) == 0)

    try:
        wait_until(all_final, timeout_s=timeout_s, poll_s=0.5)
    except AssertionError as error:
        left = scene.house.database.rows(
            "SELECT * FROM task WHERE status <> ALL(:final)", final=sorted(FINAL)
        )
        raise AssertionError(f"{error}; left are {left[:5]}") from None
    return scene.house.database.rows("SELECT * FROM task ORDER BY id")


def require_tidy(scene: Scene) -> None:
    """Nothing is left of what was killed, in queues, processes and folders."""
    house = scene.house
    wait_until(lambda: all(sandbox_children(group.pid()) == [] for group in scene.groups))
    house.wait_settled()
    house.wait_tidy()
    for queue in QueueName:
        assert house.sender.dead_letters(queue) == {}
    held = "SELECT * FROM task WHERE lease_owner IS NOT NULL OR lease_expires_at IS NOT NULL"
    assert house.database.rows(held) == []


def require_whole(house: House, project: SmallProject, tasks: list[Row]) -> None:
    """Each task of a project has its rows and files, and there are no others."""
    of: defaultdict[str, list[Row]] = defaultdict(list)
    for row in tasks:
        of[row["type"]].append(row)
    root = house.storage / str(project.project_id)

    versions = house.database.rows(
        "SELECT version, status, message_id, metrics FROM model WHERE field_id = :id",
        id=project.field_id,
    )
    trained = {row["message_id"]: row["result"]["model_version"] for row in of["train_field_model"]}
    assert {row["message_id"]: row["version"] for row in versions} == trained
    assert {row["status"] for row in versions} == {"ready"}
    folders = {file.name for file in (root / "models" / str(project.field_id)).iterdir()}
    assert folders == {f"v{version}" for version in trained.values()}
    for version in trained.values():
        verify_model(house.model_directory(project, version))

    predictions = of["predict_field_documents"]
    parents = {row["parent_id"] for row in of["predict_document_chunk"]}
    expected = {
        row["message_id"]: row["result"]["predictions_created"]
        for row in (*predictions, *of["predict_document_chunk"])
        if row["id"] not in parents
    }
    histories = root / "predictions" / str(project.field_id)
    lines = 0
    for file in histories.glob("*/*.jsonl"):
        documents = [json.loads(line)["document_id"] for line in file.read_text().splitlines()]
        assert len(documents) == len(set(documents))
        lines += len(documents)
    assert lines == sum(expected.values())
    for row in predictions:
        asked = row["request"]["document_ids"] or project.document_ids
        assert row["result"]["predictions_created"] == len(asked)

    for row in of["evaluate_field_model"]:
        report = row["result"]["report_path"].removeprefix(f"local://{house.storage}/")
        assert (house.storage / report / "report.json").is_file()

    if of["index_documents"]:
        (index,) = (root / "indexes").iterdir()
        assert sorted(DocumentIndex.open(index).ids.tolist()) == sorted(project.document_ids)
