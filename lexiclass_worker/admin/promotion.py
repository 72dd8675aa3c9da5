"""Promoting a version whose files are as they were written.

For people and programs, not for tasks; what needs no files is in :mod:`lexiclass_core.versions`.
"""

import asyncio
from typing import Any

from lexiclass import LexiClassError
from lexiclass_core import layout, versions
from lexiclass_core.models import Model
from lexiclass_core.versions import Author, Change, GatedChange
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.errors import ModelCorrupt
from lexiclass_worker.ml.verification import verified
from lexiclass_worker.services.signatures import require_signed


async def promote(context: AdminContext, field_id: int, version: int, author: Author) -> Change:
    """Verify the files of a version, then let it serve.

    Where the settings have keys it has to be signed by one of them.

    Raises:
        VersionNotFound: If the field or the version does not exist.
        ChangeRefused: If it is not ready, or retired.
        ModelCorrupt: If its files are gone, changed, another version's, or not signed.
    """
    await _verify(context, field_id, version)
    async with context.sessions.begin() as session:
        return await versions.promote(session, field_id, version, author)


async def promote_through_gates(
    context: AdminContext, field_id: int, version: int, author: Author, *, override: bool = False
) -> GatedChange:
    """Verify the files of a version, then let it serve if the gates of its field let it through.

    See :func:`lexiclass_core.versions.promote_through_gates`.

    Raises:
        VersionNotFound: If the field or the version does not exist.
        ChangeRefused: If it is not ready, or retired; if the field has no gates, or they are not
            understood.
        ModelCorrupt: If its files are gone, changed, another version's, or not signed.
        ValueError: If gates are to be overridden without a reason.
    """
    await _verify(context, field_id, version)
    async with context.sessions.begin() as session:
        return await versions.promote_through_gates(
            session, field_id, version, author, override=override
        )


async def _verify(context: AdminContext, field_id: int, version: int) -> None:
    async with context.sessions() as session:
        field = await versions.require_field(session, field_id)
        model = await versions.require_version(session, field_id, version)
    summary = {}
    if model.is_usable:
        require_signed(context.settings.storage.keys, field.project_id, model)
        summary = await asyncio.to_thread(verify_files, context.storage, field.project_id, model)
    async with context.sessions.begin() as session:
        model = await versions.require_version(session, field_id, version)
        # Where it was trained before all of it was kept.
        model.manifest = {**summary, **model.manifest}


def verify_files(storage: Storage, project_id: int, model: Model) -> dict[str, Any]:
    """Read every byte of a version; what its manifest says of itself, for its row.

    Raises:
        ModelCorrupt: If its files are gone, changed, or another version's.
    """
    path = layout.model_directory(project_id, model.field_id, model.version)
    what = f"version {model.version} of field {model.field_id} at {storage.locate(path)}"
    details = {"field_id": model.field_id, "model_version": model.version}
    try:
        with storage.reading(path) as directory:
            files = verified(directory)
    except FileNotFoundError as error:
        raise ModelCorrupt(
            f"the files of {what} are gone: restore them or train a new version", details=details
        ) from error
    except LexiClassError as error:
        raise ModelCorrupt(
            f"the files of {what} are not as they were written: {error.message}; restore them or "
            "train a new version",
            details={**details, **error.details},
        ) from error
    expected = {"project_id": project_id, **details}
    found = {name: files["metadata"].get(name) for name in expected}
    summary: dict[str, Any] = files["summary"]
    is_other = any(
        model.manifest.get(name) not in {None, summary[name]}
        for name in ("training_digest", "manifest_digest")
    )
    if found != expected or is_other:
        raise ModelCorrupt(
            f"the files of {what} are another model's: they say {found}; restore its own or train "
            "a new version",
            details=details,
        )
    return summary
