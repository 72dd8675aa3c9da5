"""What integration tests share."""

import importlib
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lexiclass_core.client import AsyncTaskClient, TaskClient
from lexiclass_core.db import SessionFactory
from lexiclass_worker.cli import main
from lexiclass_worker.config import Settings, list_variables
from lexiclass_worker.execution.reconciler import Reconciler
from lexiclass_worker.sandbox import Sandbox
from lexiclass_worker.setting_groups import ReconcilerSettings
from tests.support.commands import Outcome, Run
from tests.support.database import Database
from tests.support.reconciling import reconciling
from tests.support.sandboxes import sandbox
from tests.support.services import Workshop
from tests.support.workers import RawSender


@pytest.fixture(scope="session")
def warm_sandbox() -> Iterator[None]:
    """A fork server that has the libraries, so that no test pays for its start."""
    sandbox.warm_up()
    yield
    sandbox.close()


@pytest.fixture
async def workshop(
    warm_sandbox: None, sessions: SessionFactory, settings: Settings, storage_path: Path
) -> AsyncIterator[Workshop]:
    """Services on the servers and the storage of this test."""
    workshop = Workshop(sessions, settings, storage_path)
    yield workshop
    workshop.sandbox.close()
    await workshop.keeper.close()


@pytest.fixture
def database(database_uri: str) -> Iterator[Database]:
    """The database of this test, for statements without an event loop."""
    with Database(database_uri) as database:
        yield database


@pytest.fixture
async def client(database_uri: str, broker_url: str) -> AsyncIterator[AsyncTaskClient]:
    """What submits tasks."""
    async with AsyncTaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client


@pytest.fixture
def sync_client(database_uri: str, broker_url: str) -> Iterator[TaskClient]:
    """The same without an event loop."""
    with TaskClient(database_uri=database_uri, broker_url=broker_url) as client:
        yield client


@pytest.fixture
async def reconciler(workshop: Workshop, broker_url: str) -> AsyncIterator[Reconciler]:
    """One that waits for nothing."""
    at_once = ReconcilerSettings(interval_s=1e-6, orphan_age_s=0)
    with reconciling(workshop, broker_url, at_once) as made:
        yield made


@pytest.fixture
def origins(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, int]]:
    """Where the documents of each job came from."""
    seen: list[dict[str, int]] = []
    run = Sandbox.run

    async def noting(sandbox: Sandbox, job: Any, **arguments: Any) -> dict[str, Any]:
        outcome = await run(sandbox, job, **arguments)
        if "origins" in outcome:
            seen.append({name: n for name, n in outcome["origins"].items() if n})
        return outcome

    monkeypatch.setattr(Sandbox, "run", noting)
    return seen


@pytest.fixture
def bare_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """The command in an empty folder, without a setting."""
    monkeypatch.chdir(tmp_path)
    # On a busy machine a check may hang, and ends the process then, which is that of the tests.
    module = importlib.import_module("lexiclass_worker.cli.check")
    monkeypatch.setattr(module, "end_at_once", sys.exit)
    for variable in list_variables():
        monkeypatch.delenv(variable.name, raising=False)

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["lexiclass-worker", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as raised:
            main()
        captured = capsys.readouterr()
        status = raised.value.code
        return Outcome(status if isinstance(status, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture
def cli(bare_cli: Run, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command on the servers of this test."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return bare_cli


@pytest.fixture
def sender(broker_url: str) -> Iterator[RawSender]:
    """Sends messages as any producer does."""
    sender = RawSender(broker_url)
    yield sender
    sender.close()
