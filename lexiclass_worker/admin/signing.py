"""Signing what is there: the models, reports and indexes of before, or of an older key.

For people and programs, not for tasks. What one of the keys has signed is signed again by the first
without being looked at. Anything else is signed as it lies in the storage, if the rows know it or
know nothing of it: whoever has it signed trusts it.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import select

from lexiclass_core import versions
from lexiclass_core.keys import Keys
from lexiclass_core.models import Field, Model, ModelStatus
from lexiclass_core.versions.kept_reports import KeptReport, KeptReports, kept_reports
from lexiclass_worker.admin.context import AdminContext
from lexiclass_worker.admin.promotion import verify_files
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.errors import ModelCorrupt
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.ml import index_files
from lexiclass_worker.repositories import indexes, reports
from lexiclass_worker.repositories.indexes import KeptIndexes
from lexiclass_worker.repositories.locks import index_lock
from lexiclass_worker.services.inputs import project_indexes
from lexiclass_worker.services.signatures import index_content, is_signed, model_content


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What became of a model version, of one of its reports, or of an index.

    Attributes:
        field_id: Of a model version; None of an index.
        name: The number of a version, or the name of an index.
        test_set: Of a report the digest of what was evaluated on; None of anything else.
        outcome: Whether it is signed now, was so before, or cannot be signed.
    """

    project_id: int
    field_id: int | None
    name: str
    outcome: Literal["signed", "signed before", "refused"]
    reason: str = ""
    test_set: str | None = None

    def refused(self, reason: str) -> "Signing":
        """That it cannot be signed, and why."""
        return replace(self, outcome="refused", reason=reason)


async def sign_files(context: AdminContext, project_id: int) -> list[Signing]:
    """Sign the models, their reports and the indexes of a project with the first of the keys.

    Raises:
        ConfigurationError: If there is no key.
        DatabaseUnavailable: If the server has become read-only.
    """
    keys = context.settings.storage.keys
    if keys is None:
        raise ConfigurationError(
            "STORAGE__SIGNING_KEYS is not set: there is no key to sign with, such as "
            "`openssl rand -hex 32` makes"
        )
    async with context.sessions() as session:
        found = await session.scalars(
            select(Model)
            .join(Field, Field.id == Model.field_id)
            .where(
                Field.project_id == project_id,
                Model.status == ModelStatus.READY,
                Model.pruned_at.is_(None),
            )
            .order_by(Model.field_id, Model.version)
        )
        models = list(found)
    done = []
    for model in models:
        done.append(await _sign_model(context, keys, project_id, model))
        for test_set, kept in kept_reports(model.metrics).items():
            done.append(
                await _sign_report(
                    context, keys, project_id=project_id, model=model, test_set=test_set, kept=kept
                )
            )
    return done + await _sign_indexes(context, keys, project_id)


async def _sign_model(context: AdminContext, keys: Keys, project_id: int, model: Model) -> Signing:
    signed = Signing(
        project_id=project_id, field_id=model.field_id, name=str(model.version), outcome="signed"
    )

    summary = dict(model.manifest)
    if not is_signed(keys, project_id, model):
        try:
            summary |= await asyncio.to_thread(verify_files, context.storage, project_id, model)
        except ModelCorrupt as error:
            return signed.refused(error.message)
    digest = summary["manifest_digest"]
    signature = keys.sign(model_content(project_id, model.field_id, model.version, digest))
    if model.signature == signature:
        return replace(signed, outcome="signed before")
    async with context.sessions.begin() as session:
        row = await session.get(Model, model.id, with_for_update=True)
        if row is None or row.manifest != model.manifest:
            return signed.refused("it was changed meanwhile: try again")
        row.manifest = {**summary, "signature": signature}
    return signed


async def _sign_report(
    context: AdminContext,
    keys: Keys,
    *,
    project_id: int,
    model: Model,
    test_set: str,
    kept: KeptReports,
) -> Signing:
    done = Signing(
        project_id=project_id,
        field_id=model.field_id,
        name=str(model.version),
        outcome="signed",
        test_set=test_set,
    )

    def content(report: KeptReport) -> bytes:
        return report.content(project_id, model.field_id, model.version, test_set)

    def is_signed_by_any(report: KeptReport) -> bool:
        return keys.verify(content(report), report.signature)

    def signed(report: KeptReport) -> KeptReport:
        return report.model_copy(update={"signature": keys.sign(content(report))})

    current = kept.current
    if current is not None:
        if not is_signed_by_any(current) and (
            reason := await _why_not_whole(context, model, test_set, current)
        ):
            return done.refused(reason)
        current = signed(current)
    waiting = [signed(report) if is_signed_by_any(report) else report for report in kept.next]
    after = KeptReports(current=current, next=waiting)
    if after == kept:
        return replace(done, outcome="signed before")
    async with context.sessions.begin() as session:
        if not await reports.replace(session, model.id, test_set, kept, after):
            return done.refused("it was changed meanwhile: try again")
    return done


async def _why_not_whole(
    context: AdminContext, model: Model, test_set: str, report: KeptReport
) -> str:
    """Why the files of a report are not what its row says; empty if they are."""
    try:
        for name in report.files:
            file = await versions.read_report(
                context.sessions,
                context.storage,
                model.field_id,
                model.version,
                name,
                test_set=test_set,
            )
            if file.created_at != report.created_at:
                return "another evaluation has left its files there: evaluate the version again"
    except (versions.ReportCorrupt, versions.ReportNotFound) as error:
        return str(error)
    return ""


async def _sign_indexes(context: AdminContext, keys: Keys, project_id: int) -> list[Signing]:
    silence_s = context.settings.dramatiq.heartbeat_timeout_ms / 1000
    async with index_lock(context.sessions, project_id, silence_s=silence_s) as lock:
        async with context.sessions() as session:
            kept = await indexes.kept(session, project_id)
        at_hand = project_indexes(context.storage, context.settings, project_id, kept)
        there = await asyncio.to_thread(_digests, at_hand)
        await lock.confirm()
        done = []
        async with context.sessions.begin() as session:
            for name, digest in there.items():
                signature = keys.sign(index_content(project_id, name, digest))
                outcome, reason = _judge(kept, name, digest, signature)
                if outcome == "signed":
                    await indexes.keep(session, project_id, name, {digest: signature})
                done.append(
                    Signing(
                        project_id=project_id,
                        field_id=None,
                        name=name,
                        outcome=outcome,
                        reason=reason,
                    )
                )
            await indexes.take_no_unknown(session, project_id)
    return done


def _judge(
    kept: KeptIndexes, name: str, digest: str, signature: str
) -> tuple[Literal["signed", "signed before", "refused"], str]:
    manifests = kept.manifests.get(name)
    if manifests == {digest: signature}:
        return "signed before", ""
    if kept.takes_unknown if manifests is None else digest in manifests:
        return "signed", ""
    return "refused", "it is not the index that was published: index the project again"


def _digests(at_hand: ProjectIndexes) -> dict[str, str]:
    found = {
        name: index_files.stored_digest(at_hand, name)
        for name in index_files.names_of(at_hand)
        if name.isascii() and name.isprintable()
    }
    return {name: digest for name, digest in found.items() if digest is not None}
