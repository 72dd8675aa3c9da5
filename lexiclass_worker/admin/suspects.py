"""Labels that look wrong, for those who look after a project."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass.checksums import verify_content
from lexiclass.label_quality import TrainingEvidence
from lexiclass.manifest import EVIDENCE_FILE, read_manifest
from lexiclass_core import documents, layout
from lexiclass_core.documents import SuspectLabel
from lexiclass_core.models import Model, ModelStatus
from lexiclass_core.schemas import ModelRequest
from lexiclass_core.statuses import SuspectStatus
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.admin.library_errors import library_errors
from lexiclass_worker.admin.predictions import Record, add_texts
from lexiclass_worker.errors import InvalidRequest, ModelCorrupt, NoReadyModel
from lexiclass_worker.jobs.suspects import FOUND_SUSPECTS, MOST_SUSPECTS
from lexiclass_worker.ml.suspects import suspects_in
from lexiclass_worker.repositories import model_versions, projects
from lexiclass_worker.repositories.suspects import replace_open
from lexiclass_worker.services.model_files import model_files

_PAGE: Final = 200


async def suspects(
    context: AdminContext,
    project_id: int,
    field_id: int,
    *,
    status: SuspectStatus | None = SuspectStatus.OPEN,
    limit: int = MOST_SUSPECTS,
    with_text: bool = False,
) -> AsyncGenerator[list[Record]]:
    """The labels of a field that look wrong, the most suspect first, in pages.

    Only those of a status; None for all. ``with_text`` adds the documents' texts, as ``text``.

    Raises:
        NotFound: If the project or the field does not exist.
    """
    async with context.sessions() as session:
        await projects.require_field(session, project_id, field_id)
        found = await documents.list_suspects(
            session, project_id, field_id, status=status, limit=limit
        )
    for start in range(0, len(found), _PAGE):
        page = found[start : start + _PAGE]
        records = [_record(suspect) for suspect in page]
        if with_text:
            await add_texts(context, project_id, page, records)
        yield records


async def require_looked_for(session: AsyncSession, field_id: int) -> dict[str, Any]:
    """What the newest version of a field that is ready says of its training labels.

    Returns:
        The fields of :class:`lexiclass_core.schemas.LabelSuspects`, ``num_documents``, ``version``.

    Raises:
        NoReadyModel: If there is none.
        InvalidRequest: If its training has kept nothing of them.
    """
    model = await session.scalar(
        select(Model)
        .where(Model.field_id == field_id, Model.status == ModelStatus.READY)
        .order_by(Model.version.desc())
        .limit(1)
    )
    if model is None:
        raise NoReadyModel(
            f"field {field_id} has no model that is ready: labels that look wrong are found by a "
            "training, so train one first",
            details={"field_id": field_id},
        )
    said: Any = model.metrics.get("label_suspects")
    if not said or not isinstance(said, dict):
        raise _not_looked_for(field_id, model.version)
    number = model.metrics.get("num_documents")
    return {**said, "num_documents": number, "version": model.version}


async def find_again(context: AdminContext, project_id: int, field_id: int, version: int) -> None:
    """Find the labels that look wrong in what a training has kept, in place of those before.

    Raises:
        NotFound: If the project, the field or the version does not exist.
        NoReadyModel: If it is not ready.
        InvalidRequest: If its training has kept nothing.
        ModelCorrupt: If its files are gone.
        WorkerError: What the library failed with, MODEL_CORRUPT of files that were changed.
    """
    async with context.sessions() as session:
        await projects.require_field(session, project_id, field_id)
        model = await model_versions.require_ready_version(session, field_id, version)
        digest = model.manifest_digest
    request = ModelRequest(project_id=project_id, field_id=field_id)
    with library_errors(), model_files(context.storage, request, version) as path:
        found = await asyncio.to_thread(_find, path, digest)
    if found is None:
        raise _not_looked_for(field_id, version)
    try:
        checked = FOUND_SUSPECTS.validate_python(found)
    except ValidationError as error:
        directory = layout.model_directory(project_id, field_id, version)
        raise ModelCorrupt(
            f"what model version {version} of field {field_id} has kept of its training names no "
            f"documents of a project: restore {context.storage.locate(directory)} or train a new "
            "version",
            details={"field_id": field_id, "model_version": version},
        ) from error
    async with context.sessions.begin() as session:
        class_ids = await projects.classes(session, field_id)
        await replace_open(session, field_id, version, checked, class_ids)


def _find(directory: Path, digest: str | None) -> list[dict[str, Any]] | None:
    manifest = read_manifest(directory, digest=digest)
    if EVIDENCE_FILE not in manifest.files:
        return None
    verify_content(directory, {EVIDENCE_FILE: manifest.files[EVIDENCE_FILE]})
    evidence = TrainingEvidence.load(directory, len(manifest.classes))
    found: list[dict[str, Any]] = suspects_in(evidence, manifest.classes)["found"]
    return found


def _not_looked_for(field_id: int, version: int) -> InvalidRequest:
    return InvalidRequest(
        f"the training of version {version} of field {field_id} has kept nothing of its documents' "
        "labels: it is older than the search for wrong labels, or its classifier holds no document "
        "out; train again",
        details={"field_id": field_id, "model_version": version},
    )


def _record(suspect: SuspectLabel) -> Record:
    return {
        "document_id": suspect.document_id,
        "id": suspect.external_id,
        "given_label": suspect.label,
        "suggested_label": suspect.suggested,
        "decision": "",
        "score": suspect.score,
        "reasons": "; ".join(_reasons(suspect)),
        "found_by": list(suspect.found_by),
        "label_probability": suspect.label_probability,
        "suggested_probability": suspect.suggested_probability,
        "label_terms": list(suspect.label_terms),
        "suggested_terms": list(suspect.suggested_terms),
        "neighbours": [neighbour._asdict() for neighbour in suspect.neighbours],
        "model_version": suspect.model_version,
        "status": str(suspect.status),
        "created_at": suspect.created_at,
    }


def _reasons(suspect: SuspectLabel) -> Sequence[str]:
    """Why a label is suspected, in words."""
    found = []
    if "confident_learning" in suspect.found_by:
        found.append(
            f"probability {_share(suspect.suggested_probability)} "
            f"against {_share(suspect.label_probability)}"
        )
    alike = ", ".join(f"{each.document_id} ({each.label})" for each in suspect.neighbours)
    for name, words in (("equal_text", "same text as"), ("near_duplicate", "nearly the text of")):
        if name in suspect.found_by:
            found.append(f"{words} {alike or 'others'}")
    if suspect.suggested_terms:
        found.append(f"terms of {suspect.suggested}: {', '.join(suspect.suggested_terms)}")
    return found


def _share(probability: float | None) -> str:
    return "-" if probability is None else f"{probability:.2f}"
