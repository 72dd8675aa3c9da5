"""From one release to the next while work goes on, and one step back: docs/OPERATIONS.md."""

import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import lexiclass_core
from lexiclass_core.client import TaskClient
from lexiclass_core.db.schema import known_version
from lexiclass_worker.config import export_environment
from tests.support.corpora import SmallProject
from tests.support.house import House
from tests.support.measuring import Took
from tests.support.workers import wait_until

COMMAND = Path(sys.executable).with_name("lexiclass-worker")

# As migrations are: they only add.
MIGRATION = """\
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "9999", "{before}", None, None


def upgrade():
    op.add_column("task", sa.Column("cost", sa.BigInteger, server_default="0", nullable=False))
    op.create_table("invoice", sa.Column("id", sa.BigInteger, primary_key=True))
"""


@pytest.fixture
def next_release(tmp_path: Path) -> dict[str, str]:
    """The variables of a release that is this one, with one more migration."""
    before = known_version()
    package = tmp_path / "next" / "lexiclass_core"
    shutil.copytree(Path(lexiclass_core.__file__).parent, package)
    versions = package / "db" / "migrations" / "versions"
    (versions / "9999_next.py").write_text(MIGRATION.format(before=before))
    return {"PYTHONPATH": str(package.parent)}


def run(house: House, *arguments: str, **variables: str) -> Any:
    done = subprocess.run(
        [COMMAND, *arguments, "--json"],
        env=export_environment({**house.environment, **variables}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_workers_of_two_releases_work_on_the_newer_tables_and_the_older_ones_alone(
    own_house: House, next_release: dict[str, str]
) -> None:
    project, database = own_house.project(), own_house.database

    def predict() -> None:
        database.succeeded(own_house.send_prediction(project, project.test_ids))

    with own_house.worker():
        own_house.train(project)
        upgraded = run(own_house, "db", "upgrade", **next_release)
        assert upgraded == {"before": known_version(), "now": "9999"}
        # The workers that run have not been told.
        assert own_house.train(project)["result"]["model_version"] == 2
        with own_house.worker(next_release):
            assert len(run(own_house, "workers", "list")) == 2
            for _ in range(6):
                predict()
    with own_house.worker(next_release):
        assert own_house.train(project)["result"]["model_version"] == 3

    # One step back: the tables stay.
    assert run(own_house, "db", "upgrade") == {"before": "9999", "now": "9999"}
    checked = {row["check"]: row["state"] for row in run(own_house, "check")["checks"]}
    assert checked["tables"] == "pass"
    with own_house.worker():
        predict()
        assert own_house.train(project)["result"]["model_version"] == 4


@contextmanager
def load(house: House, project: SmallProject) -> Iterator[list[int]]:
    """A training or a prediction every fifth of a second, for the time of a ``with`` block.

    Yields:
        The ids of the tasks that were submitted so far.
    """
    submitted: list[int] = []
    over = threading.Event()

    def submit() -> None:
        with TaskClient(
            database_uri=house.environment["DATABASE_URI"],
            broker_url=house.environment["DRAMATIQ__BROKER_URL"],
            namespace=house.environment["DRAMATIQ__NAMESPACE"],
        ) as client:
            while not over.wait(0.2):
                is_training = len(submitted) % 3 == 0
                sent = (
                    client.train(project_id=project.project_id, field_id=project.field_id)
                    if is_training
                    else client.predict(
                        project_id=project.project_id,
                        field_id=project.field_id,
                        document_ids=None,
                    )
                )
                submitted.append(sent.id)

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        yield submitted
    finally:
        over.set()
        thread.join()


@pytest.mark.slow
def test_workers_are_exchanged_one_after_the_other_under_load_and_no_task_is_lost(
    own_house: House, next_release: dict[str, str], took: Took
) -> None:
    project, database = own_house.project(), own_house.database

    def more_have_ended(than: int) -> None:
        ended = "SELECT count(*) FROM task WHERE status = 'succeeded'"
        wait_until(lambda: database.value(ended) > than)

    with ExitStack() as groups:
        olds = [groups.enter_context(own_house.worker()) for _ in range(2)]
        own_house.train(project)
        with load(own_house, project) as submitted:
            more_have_ended(5)
            began = time.monotonic()
            run(own_house, "db", "upgrade", **next_release)
            for old in olds:
                groups.enter_context(own_house.worker(next_release))
                old.stop()
                assert old.process.returncode == 0
                more_have_ended(database.value("SELECT count(*) FROM task WHERE attempts > 0"))
            took("two workers exchanged under load, with a migration", time.monotonic() - began)
        assert len(submitted) > 10
        wait_until(
            lambda: database.value("SELECT count(*) FROM task WHERE finished_at IS NULL") == 0,
            timeout_s=200,
        )
    tasks = database.rows("SELECT id, type, status, crashes FROM task")
    assert {task["id"] for task in tasks} >= {*submitted}
    assert {(task["status"], task["crashes"]) for task in tasks} == {("succeeded", 0)}
    trainings = sum(task["type"] == "train_field_model" for task in tasks)
    versions = database.rows("SELECT version, status FROM model ORDER BY version")
    assert [row["version"] for row in versions] == list(range(1, trainings + 1))
    assert {row["status"] for row in versions} == {"ready"}
