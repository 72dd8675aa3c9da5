"""Which reports of evaluations are kept, in the rows of model versions."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import cast, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Field, Model
from lexiclass_core.versions.kept_reports import MOST_REPORTS, KeptReport, KeptReports, kept_reports


async def announce(session: AsyncSession, model_id: int, test_set: str, report: KeptReport) -> None:
    """Say of a report that it may lie in its place from now on, beside the one of before."""
    kept = await _locked(session, model_id)
    before = kept.get(test_set, KeptReports())
    await _write(session, model_id, {**kept, test_set: before.announcing(report)})


async def keep(session: AsyncSession, model_id: int, test_set: str, report: KeptReport) -> None:
    """Say of a report that it lies in its place; those of the oldest evaluations go."""
    kept = await _locked(session, model_id)
    kept.pop(test_set, None)
    newest = sorted(kept, key=lambda each: _began(kept[each]), reverse=True)[: MOST_REPORTS - 1]
    others = {each: kept[each] for each in newest}
    await _write(session, model_id, {test_set: KeptReports(current=report), **others})


async def replace(
    session: AsyncSession, model_id: int, test_set: str, before: KeptReports, after: KeptReports
) -> bool:
    """Say something else of the reports of a test set; nothing, and False, if they changed."""
    kept = await _locked(session, model_id)
    if kept.get(test_set) != before:
        return False
    await _write(session, model_id, {**kept, test_set: after})
    return True


async def kept_of(session: AsyncSession, model_id: int) -> dict[str, KeptReports]:
    """The reports of a version, by the digests of their test sets."""
    return kept_reports(await session.scalar(select(Model.metrics).where(Model.id == model_id)))


async def forget(
    session: AsyncSession, project_id: int, field_id: int, version: int, test_sets: Collection[str]
) -> None:
    """Say of some reports of a version that they are not kept any more."""
    model_id = await session.scalar(
        select(Model.id)
        .join(Field, Field.id == Model.field_id)
        .where(Field.project_id == project_id, Model.field_id == field_id, Model.version == version)
    )
    if model_id is None:
        return
    kept = await _locked(session, model_id)
    left = {each: reports for each, reports in kept.items() if each not in test_sets}
    if left != kept:
        await _write(session, model_id, left)


async def _locked(session: AsyncSession, model_id: int) -> dict[str, KeptReports]:
    row = select(Model.metrics).where(Model.id == model_id).with_for_update()
    return kept_reports(await session.scalar(row))


async def _write(session: AsyncSession, model_id: int, kept: dict[str, KeptReports]) -> None:
    said: dict[str, Any] = {
        "reports": {each: reports.model_dump(mode="json") for each, reports in kept.items()}
    }
    await session.execute(
        update(Model)
        .where(Model.id == model_id)
        .values(metrics=Model.metrics.op("||")(cast(said, JSONB)))
        .execution_options(synchronize_session=False)
    )


def _began(reports: KeptReports) -> float:
    """When the latest of their evaluations began."""
    return max((each.created_at.timestamp() for each in reports.candidates), default=0.0)
