"""From one release to the next while work goes on, and one step back: docs/OPERATIONS.md."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import lexiclass_core
from lexiclass_core.db.schema import known_version
from lexiclass_worker.config import export_environment
from tests.support.house import House

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
