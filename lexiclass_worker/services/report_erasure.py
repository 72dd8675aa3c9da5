"""Reports that say something of documents that are erased: they go, for they are made of them."""

import asyncio
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from lexiclass_core import layout
from lexiclass_core.documents.notes import parse_json
from lexiclass_core.folders import Folder, open_below
from lexiclass_core.layout import REPORT_JSON, REPORT_PREDICTIONS
from lexiclass_worker.artifacts.lines import lines_of
from lexiclass_worker.artifacts.storage import NoSuchFolder, Storage
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.repositories import reports
from lexiclass_worker.repositories.traces import without_documents

_FILE: Final = re.compile(
    r"(?P<folder>(?P<field>[0-9]{1,18})/v(?P<version>[0-9]{1,9})/(?P<test_set>[^/]+))/[^/]+"
)


class _Report(NamedTuple):
    """A report, by its folder relative to that of all reports of the project."""

    folder: str
    field_id: int
    version: int
    test_set: str


async def erase_from_reports(task: TaskContext, project_id: int, ids: Collection[int]) -> int:
    """Remove the reports of a project that name documents, or that cannot be read.

    The figures of their evaluations stay, in ``model.metrics``. Killed at any point, it can be run
    again and does the rest: a report goes after its row has forgotten it.

    How many were removed is returned.

    Raises:
        OSError: If the storage fails.
    """
    root = layout.reports_directory(project_id)
    named = await asyncio.to_thread(_naming, task.storage, root, set(ids))
    for report in named:
        async with task.commit() as session:
            await reports.forget(
                session, project_id, report.field_id, report.version, {report.test_set}
            )
        await asyncio.to_thread(task.storage.remove, root / report.folder)
    return len(named)


def _naming(storage: Storage, root: PurePosixPath, ids: Collection[int]) -> list[_Report]:
    # What others have put beside them is theirs.
    files = filter(None, map(_FILE.fullmatch, storage.file_sizes(root)))
    found = {
        file["folder"]: _Report(
            file["folder"], int(file["field"]), int(file["version"]), file["test_set"]
        )
        for file in files
    }
    return [report for report in found.values() if _names(storage, root / report.folder, ids)]


def _names(storage: Storage, folder: PurePosixPath, ids: Collection[int]) -> bool:
    try:
        with storage.reading(folder) as path, _opened(storage, path) as files:
            return _is_in_predictions(files, ids) or _is_in_report(files, ids)
    except NoSuchFolder:
        return False


def _opened(storage: Storage, path: Path) -> Folder:
    root = Path(storage.root)
    return open_below(root if path.is_relative_to(root) else path.parent, path)


def _is_in_predictions(files: Folder, ids: Collection[int]) -> bool:
    """Every test document that was read has a line there."""
    try:
        with files.open_file(REPORT_PREDICTIONS) as lines:
            return any(parse_json(line or b"")["document_id"] in ids for line in lines_of(lines))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return True


def _is_in_report(files: Folder, ids: Collection[int]) -> bool:
    """Findings can name others, such as training documents."""
    try:
        said = parse_json(files.read(REPORT_JSON))
    except (FileNotFoundError, ValueError):
        return True
    return bool(without_documents(said, ids) != said)
