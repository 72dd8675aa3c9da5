"""The files of an evaluation's report, from the child that wrote them to their place."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import layout
from lexiclass_core.models import Model
from lexiclass_core.schemas import EvaluateResult
from lexiclass_core.versions.kept_reports import KeptFile, KeptReport
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.errors import InternalError
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.repositories import reports
from lexiclass_worker.services.publication import publishing, staging
from lexiclass_worker.services.signatures import signed

# What a page of 5,000 classes, or the predictions of a million documents, take many times over.
_LARGEST_FILE: Final = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedReport:
    """A report that its child has written.

    Attributes:
        folder: With its files and nothing else.
        test_set: Digest of what it was evaluated on.
    """

    folder: Path
    names: tuple[str, ...]
    project_id: int
    model: Model
    test_set: str

    @property
    def target(self) -> PurePosixPath:
        """Its place in the storage."""
        return layout.report_directory(
            self.project_id, self.model.field_id, self.model.version, self.test_set
        )


@asynccontextmanager
async def publishing_report(
    task: TaskContext, report: FinishedReport, result: EvaluateResult
) -> AsyncIterator[AsyncSession]:
    """The transaction that closes an evaluation, with its report in the place of the one before.

    What is about to lie there is told before, so that whoever dies in the midst of it leaves a
    report that is known: the old one or the new.

    Raises:
        LeaseLost: If another worker has taken the task over; nothing is published.
        CancelRequested: If somebody wants the task cancelled; nothing is published.
    """
    kept = await asyncio.to_thread(_described, report, task.began_at)
    content = kept.content(
        report.project_id, report.model.field_id, report.model.version, report.test_set
    )
    signature = signed(task.settings.storage.keys, content)
    kept = kept.model_copy(update={"signature": signature})
    # Whoever has to begin anew finds the files where they were.
    folder = await asyncio.to_thread(_linked, report)
    async with staging(task, folder, report.target) as staged:
        async with task.commit() as session:
            await reports.announce(session, report.model.id, report.test_set, kept)
        async with publishing(task, staged, result) as session:
            yield session
            await reports.keep(session, report.model.id, report.test_set, kept)


def _linked(report: FinishedReport) -> Path:
    """Another folder with the same files."""
    folder = report.folder.with_name(f"staged-{uuid4().hex}")
    folder.mkdir()
    for name in report.names:
        (folder / name).hardlink_to(report.folder / name)
    return folder


def _described(report: FinishedReport, created_at: datetime) -> KeptReport:
    files = {}
    for name in report.names:
        path = report.folder / name
        if (size := path.stat().st_size) > _LARGEST_FILE:
            raise InternalError(
                f"the {name} of an evaluation has {size} bytes, and {_LARGEST_FILE} are kept at "
                "most",
                details={"size_bytes": size},
            )
        with path.open("rb") as file:
            os.fsync(file.fileno())
        files[name] = KeptFile.of(path)
    return KeptReport(created_at=created_at, files=files)


async def remove_unkept(task: TaskContext, report: FinishedReport) -> None:
    """Remove the reports of a version that its row does not name any more."""
    async with task.sessions() as session:
        kept = await reports.kept_of(session, report.model.id)
    folder = report.target.parent
    await asyncio.to_thread(_remove_others, task.storage, folder, set(kept))


def _remove_others(storage: Storage, folder: PurePosixPath, kept: set[str]) -> None:
    found = {name.partition("/")[0] for name in storage.file_sizes(folder)}
    for name in sorted(found - kept):
        storage.remove(folder / name)
