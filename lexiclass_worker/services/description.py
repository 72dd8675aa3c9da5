"""Finding out what only files tell of a document."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from lexiclass_core import layout
from lexiclass_core.documents.notes import parse_json
from lexiclass_core.documents.resting import RestsOn
from lexiclass_core.folders import open_below
from lexiclass_core.numbers import is_share
from lexiclass_core.schemas import (
    DescribeDocument,
    DescribeResult,
    PastPrediction,
    SimilarDocument,
)
from lexiclass_core.tasks.reading import by_message_ids
from lexiclass_worker.artifacts.lines import lines_of
from lexiclass_worker.artifacts.storage import NoSuchFolder
from lexiclass_worker.artifacts.transfers import transferring
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.jobs.similarity import SimilarJob
from lexiclass_worker.repositories import documents, projects
from lexiclass_worker.repositories.model_versions import VersionOfField, versions_of_project
from lexiclass_worker.services.inputs import pretrained_directory
from lexiclass_worker.services.known_indexes import KnownIndexes

_MOST_VERSIONS: Final = 100
_MOST_PREDICTIONS: Final = 100
_MOST_SCORES: Final = 10
_LONGEST_LINE: Final = 2**20
_SUFFIX: Final = ".jsonl"

# Of all versions, the newest of a field first: no more is read because somebody looks at one.
_MOST_BYTES: Final = 2 * 2**30


class _Line(NamedTuple):
    version: VersionOfField
    message_id: str
    said: Mapping[str, Any]


async def describe_document(task: TaskContext, request: DescribeDocument) -> DescribeResult:
    """Find the documents that are most like one, and what versions have predicted of it.

    Raises:
        NotFound: If the project or the document does not exist.
        WorkerError: What the library failed with.
    """
    async with task.sessions() as session:
        await projects.require_project(session, request.project_id)
        await documents.require_document(session, request.project_id, request.document_id)
        versions = await versions_of_project(session, request.project_id, limit=_MOST_VERSIONS + 1)
    task.progress.plan({"compare": 50, "histories": 50}, units={"histories": "versions"})
    similar, why_none = await _similar(task, request)
    lines: list[_Line] = []
    num_left_out = len(versions) - len(versions[:_MOST_VERSIONS])
    room = _MOST_BYTES
    for done, version in enumerate(versions[:_MOST_VERSIONS]):
        task.progress.report("histories", done, len(versions))
        directory = layout.predictions_directory(
            request.project_id, version.field_id, version.version
        )
        sizes = await asyncio.to_thread(task.storage.file_sizes, directory)
        histories = {name: size for name, size in sizes.items() if name.endswith(_SUFFIX)}
        most = _MOST_PREDICTIONS - len(lines)
        if not most or sum(histories.values()) > room:
            num_left_out += 1
        elif histories:
            room -= sum(histories.values())
            lines += await _lines_of_version(task, request, version, sorted(histories), most)
    return DescribeResult(
        project_id=request.project_id,
        document_id=request.document_id,
        similar=similar,
        why_none=why_none,
        predictions=await _predictions(task, request, lines),
        num_left_out=num_left_out,
    )


async def _similar(
    task: TaskContext, request: DescribeDocument
) -> tuple[list[SimilarDocument], str | None]:
    if not request.limit:
        return [], "none was asked for"
    indexes = KnownIndexes(task, request.project_id)
    locale = request.locale
    if "locale" not in request.model_fields_set:
        locale = task.settings.lexiclass_locale
    outcome = await task.sandbox.run(
        SimilarJob(
            indexes=await indexes.at_hand(),
            pretrained_directory=pretrained_directory(task),
            document_id=request.document_id,
            # Some may have been deleted since they were indexed.
            limit=2 * request.limit,
            tokenizer=request.tokenizer,
            locale=locale,
            tokenizer_params=request.tokenizer_params,
        ),
        on_progress=task.progress.report,
        supervisor=indexes,
    )
    found = {int(number): float(cosine) for number, cosine in outcome.get("similar", [])}
    async with task.sessions() as session:
        rows = await documents.find_documents(session, request.project_id, list(found))
    there = {row.id for row in rows}
    similar = [
        SimilarDocument(document_id=number, similarity=cosine)
        for number, cosine in found.items()
        if number in there
    ]
    return similar[: request.limit], outcome.get("why_none")


async def _lines_of_version(
    task: TaskContext,
    request: DescribeDocument,
    version: VersionOfField,
    names: Sequence[str],
    most: int,
) -> list[_Line]:
    """What the histories of a version say of the document, ``most`` times."""
    directory = layout.predictions_directory(request.project_id, version.field_id, version.version)
    lines: list[_Line] = []
    try:
        async with transferring(task.storage.reading(directory)) as path:
            for name in names:
                root, number = Path(task.storage.root), request.document_id
                said = await asyncio.to_thread(_said, root, path, name, number, most - len(lines))
                lines += [_Line(version, name.removesuffix(_SUFFIX), each) for each in said]
    except NoSuchFolder:
        # Removed meanwhile.
        return lines
    return lines


def _said(
    root: Path, path: Path, name: str, document_id: int, most: int
) -> list[Mapping[str, Any]]:
    """The first lines of a history that are of a document, with the highest of their scores.

    Whoever may write to the storage may have written any number of them, of any size.
    """
    # Parsing takes ten times as long as looking for the number.
    number = str(document_id).encode()
    found: list[Mapping[str, Any]] = []
    with open_below(root, path) as folder, folder.open_file(name) as history:
        for line in lines_of(history):
            if len(found) == most:
                break
            if line is None or len(line) > _LONGEST_LINE or number not in line:
                continue
            try:
                said = parse_json(line)
            except ValueError:
                continue
            if isinstance(said, dict) and said.get("document_id") == document_id:
                found.append({**said, "scores": _highest(said.get("scores"))})
    return found


async def _predictions(
    task: TaskContext, request: DescribeDocument, lines: Sequence[_Line]
) -> list[PastPrediction]:
    async with task.sessions() as session:
        rows = await by_message_ids(session, {line.message_id for line in lines})
    began = {
        message_id: (row.started_at or row.queued_at).isoformat()
        for message_id, row in rows.items()
    }
    return [
        PastPrediction(
            document_id=request.document_id,
            field_id=line.version.field_id,
            model_version=line.version.version,
            message_id=line.message_id,
            predicted_at=began.get(line.message_id),
            predicted_class=str(line.said.get("predicted_class")),
            confidence=line.said["confidence"] if is_share(line.said.get("confidence")) else 0.0,
            scores=_highest(line.said.get("scores")),
            is_accepted=_flag(line.said.get("is_accepted")),
            **RestsOn.of(line.said)._asdict(),
        )
        for line in lines
    ]


def _highest(scores: object) -> dict[str, float]:
    if not isinstance(scores, dict):
        return {}
    found = {str(name): float(each) for name, each in scores.items() if is_share(each)}
    return dict(sorted(found.items(), key=lambda each: -each[1])[:_MOST_SCORES])


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
