"""Freeing the storage that old model versions take.

For people and programs, not for tasks.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from lexiclass_core import layout, versions
from lexiclass_core.models import Model, ModelStatus, ServingRule
from lexiclass_core.versions import Author, ChangeRefused
from lexiclass_core.versions.needs import listing, tasks_that_need
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.execution.removal import remove_pruned


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What becomes of a version that has files.

    Attributes:
        outcome: ``keep``; ``remove``, in a plan; ``removed``; ``waits`` for tasks to end.
        size_bytes: Of its files and its reports.
    """

    version: int
    outcome: Literal["keep", "remove", "removed", "waits"]
    reason: str
    size_bytes: int = 0


async def plan_pruning(
    context: AdminContext, field_id: int, *, keep: int | None = None
) -> list[Verdict]:
    """What :func:`prune` would do with each version of a field that has files, newest first.

    The version that serves stays, and those that open tasks name. Of the others go: what failed or
    was retired, and with ``keep`` all but so many of the newest that are ready.

    Raises:
        VersionNotFound: If the field does not exist.
        OSError: If the storage fails.
    """
    async with context.sessions() as session:
        field = await versions.require_field(session, field_id)
        models = await versions.list_versions(session, field_id)
        needed = await tasks_that_need(session, field_id)

    def measure() -> list[Verdict]:
        verdicts = []
        for verdict in _verdicts(models, needed, keep, field.serve):
            of_version = field.project_id, field_id, verdict.version
            folders = layout.model_directory(*of_version), layout.reports_directory(*of_version)
            size = sum(sum(context.storage.file_sizes(folder).values()) for folder in folders)
            verdicts.append(replace(verdict, size_bytes=size))
        return verdicts

    return await asyncio.to_thread(measure)


async def prune(
    context: AdminContext, field_id: int, author: Author, *, keep: int | None = None
) -> list[Verdict]:
    """Retire and remove what :func:`plan_pruning` says; finish what was interrupted before.

    A version that running tasks may be using has its files until they have ended. The reconciler
    removes them then, as it does when this is killed.

    Raises:
        VersionNotFound: If the field does not exist.
        OSError: If the storage fails; run it once more.
    """
    plan = await plan_pruning(context, field_id, keep=keep)
    chosen = {verdict.version for verdict in plan if verdict.outcome == "remove"}
    await _retire(context, field_id, chosen, author)
    async with context.sessions.begin() as session:
        await versions.mark_pruned(session, field_id, chosen, author)
    removals = await remove_pruned(context.sessions, context.storage, field_id=field_id)
    readers = {removal.version.version: removal.readers for removal in removals}
    return [_after(verdict, readers) for verdict in plan]


async def _retire(context: AdminContext, field_id: int, chosen: set[int], author: Author) -> None:
    """Take what is chosen out of use; what has come to serve meanwhile, or is to, stays."""
    async with context.sessions() as session:
        models = await versions.list_versions(session, field_id)
    for model in models:
        if model.version in chosen and model.is_usable:
            try:
                async with context.sessions.begin() as session:
                    await versions.retire(session, field_id, model.version, author)
            except ChangeRefused:
                chosen.remove(model.version)


def _after(verdict: Verdict, readers: Mapping[int, Sequence[int]]) -> Verdict:
    if verdict.outcome != "remove":
        return verdict
    if verdict.version not in readers:
        return replace(verdict, outcome="keep", reason="something else was done with it meanwhile")
    if tasks := readers[verdict.version]:
        return replace(
            verdict, outcome="waits", reason=f"for {listing(tasks)} to end, then removed"
        )
    return replace(verdict, outcome="removed")


def _verdicts(
    models: Sequence[Model],
    needed: Mapping[int, Sequence[int]],
    keep: int | None,
    rule: str = ServingRule.NEWEST,
) -> list[Verdict]:
    newest = [model.version for model in models if model.is_usable]
    kept = newest if keep is None else newest[:keep]
    serving = versions.serving(models, rule)
    verdicts = []
    for model in models:
        if model.files_removed_at is not None:
            continue
        goes = _why_it_goes(model, kept)
        stays = _why_it_stays(model, serving, needed.get(model.version, ()))
        if goes is not None and stays is None:
            verdicts.append(Verdict(version=model.version, outcome="remove", reason=goes))
        else:
            reason = stays or "ready"
            verdicts.append(Verdict(version=model.version, outcome="keep", reason=reason))
    return verdicts


def _why_it_goes(model: Model, kept: Sequence[int]) -> str | None:
    if model.pruned_at is not None:
        return "pruned before, its files are still there"
    if model.retired_at is not None:
        return "retired"
    if model.status == ModelStatus.FAILED:
        return "failed"
    if model.is_usable and model.version not in kept:
        return f"not among the {len(kept)} newest that are ready"
    return None


def _why_it_stays(model: Model, serving: Model | None, needed_by: Sequence[int]) -> str | None:
    if model.promoted_at is not None:
        return "promoted"
    if model is serving:
        return "serves"
    if model.status == ModelStatus.TRAINING:
        return "in training"
    # What is retired cannot be used, whatever a task names.
    if needed_by and model.retired_at is None and model.pruned_at is None:
        return f"needed by {listing(needed_by)}"
    return None
