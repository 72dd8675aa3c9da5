"""A Redis that loses all it holds, and workers that lose tasks."""

import asyncio
import os
import signal
import time

import pytest

from lexiclass_core.client import AsyncTaskClient
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.worker_group import WorkerGroup
from tests.faults.conftest import Shared
from tests.support.house import House
from tests.support.measuring import Took
from tests.support.processes import stopped, wait_for_trainings, worker_processes
from tests.support.workers import wait_until

# Workers of their own, whose reconcilers are tried in parts by quicker tests.
pytestmark = pytest.mark.slow

QUICK = {"RECONCILER__INTERVAL_S": "1", "DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000"}


def test_after_a_flush_of_redis_every_task_succeeds_and_has_one_effect(
    own_house: House, took: Took
) -> None:
    slow = [own_house.slow_project() for _ in range(2)]
    quick = own_house.project(training=4, test=1)
    with own_house.worker(QUICK) as group:
        own_house.train(quick)
        running = [own_house.send_training(project) for project in slow]
        with stopped(*wait_for_trainings(group.process.pid, 2)):
            own_house.pause("prediction")
            pending = submit_predictions(own_house, quick.project_id, quick.field_id, 100)
            own_house.sender.broker.client.flushall()
            counted = "SELECT status, count(*) FROM task GROUP BY status ORDER BY status"
            counts = {row["status"]: row["count"] for row in own_house.database.rows(counted)}
            assert counts == {"pending": 100, "started": 2, "succeeded": 1}
        own_house.resume()
        resumed_at = time.monotonic()
        # The first that is sent again; the others follow at once.
        wait_until(lambda: (own_house.database.task(pending[0]) or {})["attempts"] == 1)
        took(
            "FLUSHALL: to the first task that is sent again, reconciler interval 1 s",
            time.monotonic() - resumed_at,
        )

        tasks = [own_house.database.succeeded(message_id) for message_id in running + pending]
        own_house.wait_settled()

    assert [task["attempts"] for task in tasks] == [1] * 102
    for project in slow:
        rows = own_house.database.rows(
            "SELECT version, status FROM model WHERE field_id = :id", id=project.field_id
        )
        assert [(row["version"], row["status"]) for row in rows] == [(1, "ready")]
    histories = own_house.storage / str(quick.project_id) / "predictions" / str(quick.field_id)
    assert {file.stem for file in histories.glob("v1/*.jsonl")} == set(pending)
    assert own_house.sender.dead_letters("prediction") == {}


def test_tasks_whose_rows_were_written_and_never_sent_run_all_the_same(shared: Shared) -> None:
    """By a client that cannot reach Redis, and by a program that only knows the table."""
    house = shared.house
    project = house.project(training=4, test=1)
    away = {**house.environment, "DRAMATIQ__BROKER_URL": f"redis://127.0.0.1:{free_port()}/0"}

    async def submit() -> str:
        async with AsyncTaskClient(
            database_uri=away["DATABASE_URI"], broker_url=away["DRAMATIQ__BROKER_URL"]
        ) as client:
            return (await client.train(project.project_id, project.field_id)).message_id

    message_id = asyncio.run(submit())
    house.database.execute(
        "INSERT INTO task (message_id, type, project_id, request) VALUES ('sql', "
        "'index_documents', :p, jsonb_build_object('project_id', CAST(:p AS bigint)))",
        p=project.project_id,
    )
    task = house.database.succeeded(message_id)
    index = house.database.succeeded("sql")
    assert (task["attempts"], task["result"]["model_version"]) == (1, 1)
    assert index["result"]["added"] == len(project.document_ids)


def test_a_task_whose_worker_and_message_are_both_gone_is_run_again(own_house: House) -> None:
    project = own_house.slow_project()
    with own_house.worker(QUICK) as group:
        message_id = own_house.send_training(project)
        own_house.training_process(project, group)
        os.killpg(group.process.pid, signal.SIGKILL)
        group.process.wait(60)
        own_house.sender.broker.client.flushall()
    with own_house.worker(QUICK):
        # The office of the reconciler was the dead worker's.
        task = own_house.database.succeeded(message_id)
    assert (task["attempts"], task["crashes"]) == (2, 1)


def test_of_two_workers_one_reconciles_and_the_other_when_it_is_killed(own_house: House) -> None:
    project = own_house.project(training=4, test=1)
    with own_house.worker(QUICK) as first, own_house.worker(QUICK) as second:
        office = wait_until(lambda: holders(own_house))
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            assert holders(own_house) == office
            time.sleep(0.1)
        holder, other = sorted((first, second), key=lambda group: not talks_from(group, office))
        assert (talks_from(holder, office), talks_from(other, office)) == (True, False)

        os.killpg(holder.process.pid, signal.SIGKILL)
        holder.process.wait(60)
        # A row that only a reconciler sends.
        own_house.database.execute(
            "INSERT INTO task (message_id, type, project_id, request) VALUES ('sql', "
            "'index_documents', :p, jsonb_build_object('project_id', CAST(:p AS bigint)))",
            p=project.project_id,
        )
        task = own_house.database.succeeded("sql")
        new_office = holders(own_house)
        assert len(new_office) == 1
        assert talks_from(other, new_office)
    assert task["attempts"] == 1
    assert ["Reconciled" in group.log.read_text() for group in (holder, other)] == [False, True]


def holders(house: House) -> set[int]:
    """The ports from which the reconciler's office is held."""
    rows = house.database.rows(
        "SELECT client_port FROM pg_locks JOIN pg_stat_activity USING (pid) "
        "WHERE locktype = 'advisory' AND granted AND datname = current_database() "
        "AND (classid::bigint << 32 | objid::bigint) = hashtextextended('lexiclass reconciler', 0)"
    )
    return {row["client_port"] for row in rows}


def talks_from(group: WorkerGroup, ports: set[int]) -> bool:
    """Whether one of a group's workers has one of some ports."""
    connections = [
        connection
        for process in worker_processes(group.process.pid)
        for connection in process.net_connections("tcp")
    ]
    return any(connection.laddr.port in ports for connection in connections)


def submit_predictions(house: House, project_id: int, field_id: int, count: int) -> list[str]:
    """Submit through the client, which writes the rows."""

    async def submit() -> list[str]:
        async with AsyncTaskClient(
            database_uri=house.environment["DATABASE_URI"],
            broker_url=house.environment["DRAMATIQ__BROKER_URL"],
            namespace=house.environment["DRAMATIQ__NAMESPACE"],
        ) as client:
            tasks = [await client.predict(project_id, field_id, None) for _ in range(count)]
            return [task.message_id for task in tasks]

    return asyncio.run(submit())
