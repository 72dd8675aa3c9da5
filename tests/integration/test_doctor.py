"""`lexiclass-worker check` as a whole: its schema, and that it ends whatever hangs."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import pytest
import redis

from lexiclass_worker.admin.doctor import doctor_probes
from lexiclass_worker.admin.doctor.report import SCHEMA_FILE, CheckReport, report_schema
from lexiclass_worker.config import Settings, export_environment
from lexiclass_worker.telemetry.checks import DECIDING
from lexiclass_worker.telemetry.checks.outcome import State
from lexiclass_worker.telemetry.readiness import Readiness
from tests.support.database import Database

COMMAND = Path(sys.executable).with_name("lexiclass-worker")


def test_the_schema_is_published() -> None:
    published = resources.files("lexiclass_worker.admin.doctor").joinpath(SCHEMA_FILE).read_text()

    assert json.loads(published) == report_schema(), "write it anew: make docs"


def test_every_check_is_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "OPERATIONS.md"
    rows = re.findall(r"^\| (`[^|]+`) \| (yes)? ?\|", page.read_text(), re.MULTILINE)
    documented = {
        name: bool(decides) for names, decides in rows for name in re.findall(r"`([^`]+)`", names)
    }

    probes = doctor_probes()

    assert {name: documented.get(name) for name in probes} == {
        name: probe.decides for name, probe in probes.items()
    }


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Processes that stand still for the time of a ``with`` block."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_servers_that_were_stopped_are_named_and_the_rest_is_skipped(
    settings: Settings, database_uri: str, broker_url: str
) -> None:
    with redis.Redis.from_url(broker_url) as client, Database(database_uri) as database:
        pid = int(client.info("server")["process_id"])
        postmaster = int(database.value("SELECT pg_read_file('postmaster.pid')").split()[0])
    with stopped(pid, postmaster):
        checks = {check.name: check for check in Readiness(settings).check()}

    assert {name for name, check in checks.items() if not check.ok} == {"redis", "postgresql"}
    skipped = {name for name, check in checks.items() if check.state is State.SKIPPED}
    assert skipped == {name for name, probe in DECIDING.items() if probe.needs}


@pytest.mark.slow
def test_check_ends_where_nothing_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        done = subprocess.run(
            [COMMAND, "check", "--json"],
            env=export_environment(
                {
                    "DATABASE_URI": f"postgresql://lexi:hidden-one@{address}/lexi",
                    "DRAMATIQ__BROKER_URL": f"redis://:hidden-two@{address}/0",
                    "STORAGE__BASE_PATH": "s3://bucket/prefix",
                    "STORAGE__CACHE_DIRECTORY": str(tmp_path),
                    # The one of S3 alone goes before, which other tests of this process may set.
                    "AWS_ENDPOINT_URL_S3": f"http://{address}",
                    "AWS_ACCESS_KEY_ID": "a",
                    "AWS_SECRET_ACCESS_KEY": "hidden-three",
                }
            ),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    report = CheckReport.model_validate_json(done.stdout)
    assert (done.returncode, report.state) == (1, State.FAIL)
    states = {entry.check: entry.state for entry in report.checks}
    failed = {name for name, state in states.items() if state is State.FAIL}
    assert failed == {"redis", "postgresql", "storage"}
    assert {states["tables"], states["queues"], states["redis rights"]} == {State.SKIPPED}
    assert "hidden" not in done.stdout + done.stderr
