"""Servers, workers and a project of synthetic documents: what a measurement of the whole needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lexiclass.corpora import Columns
from lexiclass_core.client import TaskClient
from lexiclass_core.client.snapshot import TaskSnapshot
from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.db.migrate import upgrade
from lexiclass_core.models import TaskStatus
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.admin.import_report import ImportReport, ImportRequest
from lexiclass_worker.admin.importing import import_corpus
from lexiclass_worker.artifacts.opening import open_storage
from lexiclass_worker.config import make_settings
from lexiclass_worker.embedded import embedded_servers
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.worker_group import WorkerGroup, dramatiq_command

_READY_TIMEOUT_S = 90.0
_LARGEST_DOCUMENT = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """Embedded servers, migrated, and a client on them.

    Attributes:
        directory: Holds everything.
        database_uri: Of PostgreSQL.
        environment: The settings, for workers.
        client: Submits tasks.
    """

    directory: Path
    database_uri: str
    environment: dict[str, str]
    client: TaskClient

    @property
    def storage(self) -> Path:
        """STORAGE__BASE_PATH."""
        return self.directory / "storage"

    @contextmanager
    def workers(self, *, processes: int, threads: int) -> Iterator[WorkerGroup]:
        """Run workers on all queues for the time of a ``with`` block."""
        group = WorkerGroup.start(
            "benchmark",
            dramatiq_command(processes=processes, threads=threads, queues=()),
            environment=self.environment,
            metrics_port=free_port(),
            log=self.directory / "worker.log",
        )
        try:
            group.wait_ready(_READY_TIMEOUT_S)
            yield group
        finally:
            group.stop()

    def import_texts(self, documents: Sequence[tuple[str, str]], num_training: int) -> ImportReport:
        """Make a project of texts; the first ones have training labels, the others none."""
        corpus = self.directory / f"corpus-{len(documents)}.jsonl"
        with corpus.open("w") as lines:
            for position, (text, label) in enumerate(documents):
                labels = {"label": label, "split": "train"} if position < num_training else {}
                lines.write(json.dumps({"text": text, **labels}) + "\n")
        request = ImportRequest(
            path=corpus,
            project=corpus.stem,
            columns=Columns(labels={"topic": "label"}),
            test_fraction=0.0,
            max_bytes=_LARGEST_DOCUMENT,
        )
        return asyncio.run(self._import(request))

    async def _import(self, request: ImportRequest) -> ImportReport:
        engine = create_engine(self.database_uri)
        try:
            context = AdminContext(
                sessions=create_session_factory(engine),
                storage=open_storage(str(self.storage)),
                settings=make_settings(self.environment),
            )
            return await import_corpus(context, request)
        finally:
            await engine.dispose()

    def succeed(self, task: TaskSnapshot) -> TaskSnapshot:
        """Wait for a task, which has to succeed."""
        done = self.client.wait(task.id, poll_interval_s=0.05)
        if done.status is not TaskStatus.SUCCEEDED:
            raise RuntimeError(f"the task {done.type} ended {done.status}: {done.error}")
        return done


@contextmanager
def open_house(directory: Path, **settings: str) -> Iterator[House]:
    """Run servers over a directory for the time of a ``with`` block, as safe as in production."""
    with ExitStack() as stack:
        servers = stack.enter_context(embedded_servers(directory / "servers"))
        asyncio.run(_migrate(servers.database_uri))
        client = stack.enter_context(
            TaskClient(database_uri=servers.database_uri, broker_url=servers.broker_url)
        )
        (directory / "storage").mkdir()
        yield House(
            directory=directory,
            database_uri=servers.database_uri,
            environment={
                "DATABASE_URI": servers.database_uri,
                "DRAMATIQ__BROKER_URL": servers.broker_url,
                "STORAGE__BASE_PATH": str(directory / "storage"),
                "LOG_LEVEL": "WARNING",
                **settings,
            },
            client=client,
        )


async def _migrate(database_uri: str) -> None:
    engine = create_engine(database_uri)
    try:
        await upgrade(engine)
    finally:
        await engine.dispose()
