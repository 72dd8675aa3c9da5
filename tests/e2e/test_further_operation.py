"""An operation that another package adds, through a real worker and by the client."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lexiclass_worker.worker_group import dramatiq_command
from tests.support.house import House

ROOT = Path(__file__).parents[2]

# In a process of its own: what is declared stays.
SUBMIT = """\
import json, os, sys
from lexiclass_core.client import TaskClient
from tests.support.word_counts.operation import CountWords

with TaskClient(
    database_uri=os.environ["DATABASE_URI"],
    broker_url=os.environ["DRAMATIQ__BROKER_URL"],
    namespace=os.environ["DRAMATIQ__NAMESPACE"],
) as client:
    task = client.submit(CountWords(project_id=int(sys.argv[1]), shortest=4))
    done = client.wait(task.id, timeout_s=60)
    print(json.dumps([done.type, str(done.status), done.result]))
"""


@pytest.mark.slow
def test_an_operation_of_another_package_is_run_like_any_other(own_house: House) -> None:
    project = own_house.project(training=2, test=1)
    texts = [
        own_house.document_file(project, document_id).read_text().split()
        for document_id in (*project.training_ids, *project.test_ids)
    ]
    command = dramatiq_command(processes=1, threads=1, queues=())
    command[command.index("actors")] = "tests.support.word_counts.actors"
    with own_house.worker(command=[*command, str(ROOT)]):
        submitted = subprocess.run(
            [sys.executable, "-c", SUBMIT, str(project.project_id)],
            cwd=ROOT,
            env={**os.environ, **own_house.environment},
            capture_output=True,
            text=True,
            check=True,
        )
        kind, status, result = json.loads(submitted.stdout)
        assert (kind, status) == ("count_words", "succeeded"), own_house.database.rows(
            "SELECT * FROM task"
        )
        assert (result["num_documents"], result["num_words"]) == (
            len(texts),
            sum(len(word) >= 4 for words in texts for word in words),
        )
        assert submitted_by_command(own_house, project.project_id) == result
        # The others are there as well.
        indexed = own_house.send("index_documents", project_id=project.project_id)
        own_house.database.succeeded(indexed)
        rows = own_house.database.rows("SELECT * FROM task WHERE type = 'count_words'")
    assert [(row["attempts"], row["progress"], row["queue"]) for row in rows] == [
        (1, 100, "indexing")
    ] * 2


def submitted_by_command(house: House, project_id: int) -> object:
    """What the command says came of it."""
    arguments = [f"project_id={project_id}", "shortest=4", "--wait", "--json"]
    program = str(Path(sys.executable).with_name("lexiclass-worker"))
    command = [program, "tasks", "submit", "count_words"]
    done = subprocess.run(
        [*command, *arguments, "--module", "tests.support.word_counts.operation"],
        cwd=ROOT,
        env={**os.environ, **house.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["result"]
