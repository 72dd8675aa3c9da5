"""A database, a storage and a namespace in Redis, and workers on them: all an e2e test needs."""

import hashlib
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.worker_group import WorkerGroup
from tests.support.corpora import SmallProject, create_project, make_text
from tests.support.database import Database, Row
from tests.support.databases import Databases
from tests.support.processes import wait_for_training
from tests.support.workers import QUEUES, RawSender, running_worker, wait_until


@dataclass(slots=True, kw_only=True)
class House:
    """What other programs see of a running LexiClass.

    Attributes:
        environment: The settings as environment variables.
        directory: Logs and whatever else a test writes.
    """

    environment: dict[str, str]
    storage: Path
    directory: Path
    database: Database
    sender: RawSender

    @contextmanager
    def worker(
        self,
        settings: Mapping[str, str] = MappingProxyType({}),
        /,
        *,
        processes: int = 1,
        threads: int = 2,
        command: Sequence[str] | None = None,
        **more: str,
    ) -> Iterator[WorkerGroup]:
        """Workers for the time of a ``with`` block, with further settings."""
        log = self.directory / f"worker-{uuid.uuid4().hex[:8]}.log"
        with running_worker(
            {**self.environment, **settings, **more},
            log,
            processes=processes,
            threads=threads,
            command=command,
        ) as group:
            yield group

    def project(self, **options: Any) -> SmallProject:
        """A project as :func:`create_project` makes it."""

        async def create(session: AsyncSession) -> SmallProject:
            return await create_project(session, self.storage, **options)

        return self.database.run(create)

    def slow_project(self) -> SmallProject:
        """A project whose training takes a few seconds: time to disturb it."""
        project = self.project(labels=("animals", "vehicles"), training=2, test=1)
        self.make_slow(project)
        return project

    def make_slow(self, project: SmallProject) -> None:
        """Let the training documents of a project take a few seconds to read."""
        for document_id in project.training_ids:
            content = f"{make_text(project.true_class[document_id], document_id, words=5_000)} "
            # Without a blank, no piece of it is known from before.
            text = (content * 500).replace(" ", "/")
            self.document_file(project, document_id).write_text(text)

    def make_quick(self, project: SmallProject) -> None:
        """Let the training documents of a project be short again, for who reads them anew."""
        for document_id in project.training_ids:
            text = make_text(project.true_class[document_id], document_id)
            self.document_file(project, document_id).write_text(text)

    def document_file(self, project: SmallProject, document_id: int) -> Path:
        """The file of a document."""
        return self.storage / str(project.project_id) / "documents" / f"{document_id}.txt"

    def send(self, actor: str, *args: Any, **kwargs: Any) -> str:
        """Send a message. Returns its id."""
        return self.sender.send(actor, *args, **kwargs)

    def send_training(self, project: SmallProject, **kwargs: Any) -> str:
        """Send a training of a project's field."""
        return self.sender.send(
            "train_field_model", project_id=project.project_id, field_id=project.field_id, **kwargs
        )

    def train(self, project: SmallProject, **kwargs: Any) -> Row:
        """Train a project's field. Returns the task row."""
        return self.database.succeeded(self.send_training(project, **kwargs))

    def send_prediction(self, project: SmallProject, ids: list[int] | None, **kwargs: Any) -> str:
        """Send a prediction of documents."""
        return self.sender.send(
            "predict_field_documents",
            project_id=project.project_id,
            field_id=project.field_id,
            document_ids=ids,
            **kwargs,
        )

    def model_status(self, project: SmallProject) -> str | None:
        """The status of the newest version of a project's model."""
        row = self.database.row(
            "SELECT status FROM model WHERE field_id = :id ORDER BY version DESC LIMIT 1",
            id=project.field_id,
        )
        return None if row is None else str(row["status"])

    def training_process(self, project: SmallProject, group: WorkerGroup) -> psutil.Process:
        """The process that trains a project's model, once it does."""
        # Before a training takes a version, another short-lived process checks the request.
        wait_until(lambda: self.model_status(project) == "training")
        return wait_for_training(group.process.pid)

    def pause(self, queue: str) -> None:
        """Pause a queue as `queues pause` does; its workers know after half a second."""
        self.database.execute("INSERT INTO queue_pause (queue) VALUES (:queue)", queue=queue)
        time.sleep(1)

    def resume(self) -> None:
        """Resume every queue."""
        self.database.execute("DELETE FROM queue_pause")

    def wait_settled(self) -> None:
        """Wait until every queue is empty and nothing is in progress."""
        wait_until(lambda: all(self.sender.size(queue) == 0 for queue in set(QUEUES.values())))

    def wait_tidy(self) -> None:
        """Wait until no work in progress is left: of tasks that are stopped a thread removes it."""
        wait_until(lambda: list(self.storage.glob(".scratch/*")) == [])

    def model_directory(self, project: SmallProject, version: int) -> Path:
        """The folder of a model version."""
        return (
            self.storage
            / str(project.project_id)
            / "models"
            / str(project.field_id)
            / f"v{version}"
        )


def fingerprint(directory: Path) -> dict[str, str]:
    """Name, time and content of each file below a folder."""
    return {
        f"{file.relative_to(directory)} {file.stat().st_mtime_ns}": hashlib.sha256(
            file.read_bytes()
        ).hexdigest()
        for file in sorted(directory.rglob("*"))
        if file.is_file()
    }


@contextmanager
def lent_house(
    servers: EmbeddedServers, databases: Databases, directory: Path, **settings: str
) -> Iterator[House]:
    """A house that some tests share: on the servers of all, with a database of its own."""
    with (
        databases.lent() as database_uri,
        open_house(database_uri, servers.broker_url, directory, **settings) as house,
    ):
        yield house


@contextmanager
def open_house(
    database_uri: str, broker_url: str, directory: Path, **settings: str
) -> Iterator[House]:
    """Settings and connections on a database and a Redis, without a worker yet."""
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    storage = directory / "storage"
    storage.mkdir(parents=True)
    environment = {
        "DATABASE_URI": database_uri,
        "DRAMATIQ__BROKER_URL": broker_url,
        "DRAMATIQ__NAMESPACE": namespace,
        "STORAGE__BASE_PATH": str(storage),
        "STORAGE__CACHE_DIRECTORY": str(directory / "cache"),
        # A tenth of a second: tests that wait for retries should not take long.
        "RETRIES__MIN_BACKOFF_S": "0.1",
        **settings,
    }
    sender = RawSender(broker_url, namespace)
    try:
        with Database(database_uri) as database:
            yield House(
                environment=environment,
                storage=storage,
                directory=directory,
                database=database,
                sender=sender,
            )
    finally:
        sender.close()
