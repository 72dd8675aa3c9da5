"""What a model version predicted, from the histories that its predictions have left."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from lexiclass_core import layout
from lexiclass_core.db import SessionFactory
from lexiclass_core.documents.notes import parse_json
from lexiclass_core.folders import Folder, open_below
from lexiclass_core.tasks.reading import by_message_ids
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.artifacts.lines import lines_of
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.errors import NotFound, StorageUnavailable


class EarlierPrediction(NamedTuple):
    """What a version said of a document."""

    class_id: int
    class_name: str


async def read_history(
    context: AdminContext, project_id: int, field_id: int, version: int
) -> dict[int, EarlierPrediction]:
    """What a version said of each document it predicted, at the last of several times.

    Raises:
        NotFound: If it has left no history.
        StorageUnavailable: If a line of one is no prediction.
    """
    storage = context.storage
    directory = layout.predictions_directory(project_id, field_id, version)
    names = await asyncio.to_thread(lambda: list(storage.file_sizes(directory)))
    began = await _began_at(context.sessions, names)
    found = await asyncio.to_thread(_read, storage, directory, began)
    if not found:
        raise NotFound(
            f"version {version} of field {field_id} has left no history of predictions at "
            f"{storage.locate(directory)}: predict with it first",
            details={"field_id": field_id, "model_version": version},
        )
    return found


async def _began_at(sessions: SessionFactory, names: list[str]) -> dict[str, datetime]:
    """When the task of each file began; of those whose rows are gone, before all others."""
    files = {name.removesuffix(_SUFFIX): name for name in names if name.endswith(_SUFFIX)}
    async with sessions() as session:
        rows = await by_message_ids(session, files)
    began: dict[str, datetime] = {}
    for message_id, name in files.items():
        row = rows.get(message_id)
        began[name] = _LONG_AGO if row is None else row.started_at or row.queued_at
    return began


def _read(
    storage: Storage, directory: PurePosixPath, began: Mapping[str, datetime]
) -> dict[int, EarlierPrediction]:
    found: dict[int, EarlierPrediction] = {}
    if not began:
        return found
    with (
        storage.reading(directory) as path,
        open_below(Path(storage.root), path) as folder,
    ):
        for name in sorted(began, key=lambda name: (began[name], name)):
            found.update(_lines(folder, name))
    return found


def _lines(folder: Folder, name: str) -> Iterator[tuple[int, EarlierPrediction]]:
    with folder.open_file(name) as lines:
        for number, line in enumerate(lines_of(lines), start=1):
            try:
                entry = parse_json(line or b"")
                said = EarlierPrediction(int(entry["class_id"]), str(entry["predicted_class"]))
                yield int(entry["document_id"]), said
            except (ValueError, KeyError, TypeError) as error:
                raise StorageUnavailable(
                    f"{name}, line {number}: expected a prediction as a JSON object, found "
                    "something else; the file was changed after it was written"
                ) from error


_SUFFIX: Final = ".jsonl"
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
