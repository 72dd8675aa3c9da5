"""Documents that end the process which parses them, every time, by a fault in native code."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.corpora import SmallProject
from tests.support.house import House
from tests.support.processes import sandbox_children, worker_processes
from tests.support.workers import wait_until

PLUGIN = Path(__file__).parents[1] / "support" / "segfaulting_plugin"
POISON = "\N{SKULL AND CROSSBONES}"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer that a C library would crash in, installed as any other plugin."""
    target = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--no-index", "--target", target, PLUGIN),
        ],
        check=True,
    )
    return target


@pytest.mark.slow
def test_a_document_that_crashes_its_parser_every_time_is_given_up_and_named(
    own_house: House, installed: Path
) -> None:
    labels = ("animals", "vehicles")
    trained, training, indexing, healthy = (
        own_house.project(labels=labels, training=6, test=2) for _ in range(4)
    )
    with own_house.worker(PYTHONPATH=str(installed), SANDBOX__PROCESSES="2") as group:
        own_house.train(trained, tokenizer="segfaulting")
        poisoned = {
            project.project_id: poison(own_house, project)
            for project in (trained, training, indexing)
        }
        before = worker_processes(group.process.pid)
        messages = {
            trained.project_id: own_house.send_prediction(trained, None),
            training.project_id: own_house.send_training(training, tokenizer="segfaulting"),
            indexing.project_id: own_house.send(
                "index_documents", project_id=indexing.project_id, tokenizer="segfaulting"
            ),
        }
        others = [
            own_house.send_training(healthy),
            own_house.send_prediction(trained, trained.test_ids),
        ]
        failed = {
            project_id: own_house.database.failed(message_id)
            for project_id, message_id in messages.items()
        }
        unharmed = [own_house.database.succeeded(message_id) for message_id in others]
        own_house.wait_settled()
        assert worker_processes(group.process.pid) == before
        wait_until(lambda: sandbox_children(group.process.pid) == [])

    for project_id, task in failed.items():
        details = task["error"]["details"]
        assert (task["error"]["code"], task["attempts"], task["crashes"]) == ("CRASHED", 3, 3)
        assert f"document {poisoned[project_id]}" in task["error"]["message"], task["error"]
        assert details["document_ids"] == [poisoned[project_id]]
        assert details["attempts"] == 3
        assert details["stage"] is not None
        assert own_house.sender.is_dead_letter(task["queue"], messages[project_id])
        if project_id != indexing.project_id:
            assert (details["signal"], details["exit_code"]) == ("SIGSEGV", -signal.SIGSEGV)
    assert [(task["attempts"], task["crashes"]) for task in unharmed] == [(1, 0)] * 2
    assert own_house.model_status(training) == "failed"
    assert not own_house.model_directory(training, 1).exists()
    assert list(own_house.storage.rglob("index.json")) == []
    assert list(own_house.storage.glob(".scratch/*")) == []


def poison(house: House, project: SmallProject) -> int:
    """Put what its tokenizer cannot bear into a document amid others."""
    document_id = project.training_ids[4]
    house.document_file(project, document_id).write_text(f"cat {POISON} dog")
    return document_id
