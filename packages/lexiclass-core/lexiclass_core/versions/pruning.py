"""Saying that the files of versions go; workers remove them once no task can be reading them."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Model, ModelAction, ModelStatus
from lexiclass_core.versions.errors import ChangeRefused
from lexiclass_core.versions.events import Author, record
from lexiclass_core.versions.promotion import lock_versions
from lexiclass_core.versions.reading import require_version


async def prune(session: AsyncSession, field_id: int, version: int, author: Author) -> bool:
    """Say that the files of a version go, retired or failed. Returns whether that is new.

    That cannot be taken back. A worker removes them within minutes, once no task reads them.

    Raises:
        ChangeRefused: If it may be used still.
    """
    await lock_versions(session, field_id)
    model = await require_version(session, field_id, version)
    if not _is_out_of_use(model):
        raise ChangeRefused(
            f"version {version} of field {field_id} is {model.status} and not retired: retire it "
            "first, so that nobody uses it"
        )
    if model.pruned_at is not None:
        return False
    await mark_pruned(session, field_id, {version}, author)
    return True


async def mark_pruned(
    session: AsyncSession, field_id: int, chosen: Collection[int], author: Author
) -> None:
    """Say that the files of some versions go, of those that are out of use still."""
    for model in await lock_versions(session, field_id):
        if model.version in chosen and _is_out_of_use(model) and model.pruned_at is None:
            # Later than what any task has seen that did not see it retired.
            model.pruned_at = await session.scalar(select(func.clock_timestamp()))
            record(session, model, ModelAction.PRUNED, author)


def _is_out_of_use(model: Model) -> bool:
    return model.status == ModelStatus.FAILED or model.retired_at is not None
