"""Large indexings on real workers, which share the chunks, die or are told to stop."""

import os
import signal
from contextlib import ExitStack

import pytest

from tests.faults.test_cancelling import cancel
from tests.support.corpora import SmallProject, make_text
from tests.support.database import Row
from tests.support.house import House
from tests.support.index_content import index_content
from tests.support.processes import sandbox_children
from tests.support.workers import wait_until

SETTINGS = {
    "INDEXING__CHUNK_SIZE": "10",
    "RECONCILER__INTERVAL_S": "1",
    "DRAMATIQ__HEARTBEAT_TIMEOUT_MS": "5000",
}


def content(house: House, project: SmallProject) -> list[str]:
    return index_content(house.storage / f"{project.project_id}/indexes/icu-en")


def chunks(house: House, message_id: str, status: str = "%") -> list[Row]:
    statement = (
        "SELECT c.* FROM task c JOIN task p ON p.id = c.parent_id "
        "WHERE p.message_id = :m AND c.status LIKE :s ORDER BY c.id"
    )
    return house.database.rows(statement, m=message_id, s=status)


def start(house: House, project: SmallProject) -> str:
    return house.send("index_documents", project_id=project.project_id, is_incremental=False)


def make_slow(house: House, project: SmallProject) -> None:
    """Let the first document of each of the first two chunks take a second or so to read."""
    for document_id in project.document_ids[:20:10]:
        text = make_text("animals", document_id, words=5_000) * 150
        # Without a blank, no piece of it is known from before.
        house.document_file(project, document_id).write_text(text.replace(" ", "/"))


@pytest.mark.slow
def test_the_index_is_the_same_with_one_two_and_four_workers(own_house: House) -> None:
    project = own_house.project()
    found = []
    for workers in (1, 2, 4):
        with ExitStack() as stack:
            for number in range(workers):
                processes = str(1 + number % 2)
                stack.enter_context(
                    own_house.worker(SETTINGS, threads=1, SANDBOX__PROCESSES=processes)
                )
            task = own_house.database.succeeded(start(own_house, project))
        assert (task["num_chunks"], task["attempts"]) == (5, 1)
        found.append(content(own_house, project))
    assert found[0] == found[1] == found[2]


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_costs_an_attempt_and_the_index_is_the_same(
    own_house: House,
) -> None:
    project = own_house.project()
    make_slow(own_house, project)
    with own_house.worker(SETTINGS, threads=1):
        own_house.database.succeeded(start(own_house, project))
        before = content(own_house, project)
        with own_house.worker(SETTINGS, threads=1) as victim:
            message_id = start(own_house, project)
            wait_until(
                lambda: (
                    len(chunks(own_house, message_id, "started")) == 2
                    and sandbox_children(victim.process.pid)
                ),
                poll_s=0.01,
            )
            os.killpg(victim.process.pid, signal.SIGKILL)
            victim.process.wait(60)
            task = own_house.database.succeeded(message_id)
    assert task["attempts"] == 1
    assert sorted(each["crashes"] for each in chunks(own_house, message_id)) == [0, 0, 0, 0, 1]
    assert content(own_house, project) == before


@pytest.mark.slow
def test_a_large_indexing_that_is_cancelled_stops_everywhere_and_leaves_the_index(
    own_house: House,
) -> None:
    project = own_house.project()
    with own_house.worker(SETTINGS, threads=2) as group:
        own_house.database.succeeded(start(own_house, project))
        before = content(own_house, project)
        make_slow(own_house, project)
        message_id = start(own_house, project)
        wait_until(lambda: len(chunks(own_house, message_id, "started")) == 2, poll_s=0.01)
        assert cancel(own_house, message_id).status == "cancelled"
        wait_until(lambda: not chunks(own_house, message_id, "started"))
        wait_until(lambda: sandbox_children(group.process.pid) == [])
        assert content(own_house, project) == before
        wait_until(
            lambda: own_house.database.rows(
                "SELECT 1 FROM project WHERE index_status = 'indexed' AND id = :p",
                p=project.project_id,
            )
        )
        own_house.database.succeeded(start(own_house, project))
