"""Services called as a script would call them: real sessions, storage and sandbox, no broker."""

import asyncio
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import text

from lexiclass_core.db import SessionFactory
from lexiclass_core.schemas import (
    DeleteProject,
    DeleteProjectResult,
    EraseDocuments,
    EraseResult,
    EvaluateFieldModel,
    EvaluateResult,
    IndexDocuments,
    IndexResult,
    PredictFieldDocuments,
    PredictResult,
    TrainFieldModel,
    TrainResult,
)
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.config import Settings
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.lease_keeper import LeaseKeeper
from lexiclass_worker.sandbox import Sandbox
from lexiclass_worker.services.erasure import erase_documents
from lexiclass_worker.services.evaluation import evaluate_field_model
from lexiclass_worker.services.indexing import index_documents
from lexiclass_worker.services.prediction import predict_field_documents
from lexiclass_worker.services.project_deletion import delete_project
from lexiclass_worker.services.training import train_field_model
from tests.support.corpora import SmallProject, create_project


@dataclass(slots=True)
class Workshop:
    """A worker's rooms without its doors."""

    sessions: SessionFactory
    settings: Settings
    path: Path
    storage: Storage = field(init=False)
    sandbox: Sandbox = field(default_factory=Sandbox)
    keeper: LeaseKeeper = field(init=False)

    def __post_init__(self) -> None:
        self.keeper = LeaseKeeper(self.sessions, duration_s=15)
        self.path.mkdir(parents=True, exist_ok=True)
        self.storage = LocalStorage(self.path)

    def context(self, message_id: str | None = None) -> TaskContext:
        """A task's surroundings, of a new message if none is named."""
        return TaskContext(
            message_id=message_id or str(uuid.uuid4()),
            settings=self.settings,
            sessions=self.sessions,
            storage=self.storage,
            sandbox=self.sandbox,
        )

    def admin(self, storage: Storage | None = None) -> AdminContext:
        """What people's commands work on here, or on another storage."""
        return AdminContext(
            sessions=self.sessions, storage=storage or self.storage, settings=self.settings
        )

    async def project(self, **arguments: Any) -> SmallProject:
        """A small project."""
        async with self.sessions.begin() as session:
            return await create_project(session, self.path, **arguments)

    async def index(
        self,
        project: int | SmallProject,
        *,
        message_id: str | None = None,
        context: TaskContext | None = None,
        **kwargs: Any,
    ) -> IndexResult:
        """Call the service of index_documents."""
        project_id = project if isinstance(project, int) else project.project_id
        return await index_documents(
            context or self.context(message_id), IndexDocuments(project_id=project_id, **kwargs)
        )

    async def train(
        self,
        project: SmallProject,
        *,
        message_id: str | None = None,
        context: TaskContext | None = None,
        **kwargs: Any,
    ) -> TrainResult:
        """Call the service of train_field_model."""
        request = TrainFieldModel(**{**_ids(project), **kwargs})
        return await train_field_model(context or self.context(message_id), request)

    async def predict(
        self,
        project: SmallProject,
        *,
        message_id: str | None = None,
        context: TaskContext | None = None,
        **kwargs: Any,
    ) -> PredictResult:
        """Call the service of predict_field_documents, for all documents if none is named."""
        request = PredictFieldDocuments(**{**_ids(project), "document_ids": None, **kwargs})
        return await predict_field_documents(context or self.context(message_id), request)

    async def evaluate(
        self,
        project: SmallProject,
        *,
        message_id: str | None = None,
        context: TaskContext | None = None,
        **kwargs: Any,
    ) -> EvaluateResult:
        """Call the service of evaluate_field_model."""
        request = EvaluateFieldModel(**{**_ids(project), **kwargs})
        return await evaluate_field_model(context or self.context(message_id), request)

    async def erase(
        self,
        project: SmallProject,
        *ids: int,
        context: TaskContext | None = None,
        **kwargs: Any,
    ) -> EraseResult:
        """Call the service of erase_documents."""
        request = EraseDocuments(project_id=project.project_id, document_ids=list(ids), **kwargs)
        return await erase_documents(context or self.context(), request)

    async def delete(
        self, project: SmallProject, *, context: TaskContext | None = None
    ) -> DeleteProjectResult:
        """Call the service of delete_project."""
        request = DeleteProject(project_id=project.project_id)
        return await delete_project(context or self.context(), request)

    async def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        """What a statement returns."""
        async with self.sessions.begin() as session:
            found = (await session.execute(text(statement), values)).mappings()
            return [dict(row) for row in found]

    async def row(self, statement: str, **values: Any) -> dict[str, Any]:
        """The one row a statement returns."""
        (row,) = await self.rows(statement, **values)
        return row

    async def execute(self, statement: str, **values: Any) -> None:
        """Run a statement."""
        async with self.sessions.begin() as session:
            await session.execute(text(statement), values)

    async def until_there_is(self, statement: str, **values: Any) -> dict[str, Any]:
        """The first row of a statement, once it has one."""
        async with asyncio.timeout(60):
            while not (rows := await self.rows(statement, **values)):
                await asyncio.sleep(0.01)
        return rows[0]

    def document(self, project: SmallProject, document_id: int) -> Path:
        """Where a document's text lies."""
        return self.path / str(project.project_id) / "documents" / f"{document_id}.txt"

    def model(self, project: SmallProject, version: int = 1) -> Path:
        """Where a model version lies."""
        folder = self.path / str(project.project_id) / "models" / str(project.field_id)
        return folder / f"v{version}"

    def history(self, project: SmallProject, message_id: str, version: int = 1) -> Path:
        """Where the predictions of a message lie."""
        folder = self.path / str(project.project_id) / "predictions" / str(project.field_id)
        return folder / f"v{version}" / f"{message_id}.jsonl"


def content_below(folder: Path | str) -> bytes:
    """The bytes of every file below a folder, one after the other."""
    return b"".join(file.read_bytes() for file in Path(folder).rglob("*") if file.is_file())


def _ids(project: SmallProject) -> dict[str, int]:
    return {"project_id": project.project_id, "field_id": project.field_id}
