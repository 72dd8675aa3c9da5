"""``lexiclass-worker reconcile``: what the workers do by themselves, now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from lexiclass_worker.cli.connections import open_messages, open_sender, open_sessions
from lexiclass_worker.cli.output import AsJson, console, print_json, print_rows, prose
from lexiclass_worker.config import Settings, load_settings
from lexiclass_worker.setting_groups import ReconcilerSettings

if TYPE_CHECKING:
    from lexiclass_worker.execution.reconciler import ReconcilerReport

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]

_MEANINGS = {
    "sent": "sent again, for the message was lost",
    "cancelled": "cancelled, for nobody ran it any more",
    "failed": "failed, for it cannot run",
    "versions": "model version failed, for its training has ended",
    "removed": "removed, for it belongs to nothing",
    "settled": "project whose interrupted import is tidied up",
    "disconnected": "session of the database ended, for a stopped worker kept rows locked in it",
}


def reconcile(
    quiet_s: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Only tasks to which nothing has happened for so many seconds; "
            "RECONCILER__INTERVAL_S when not given.",
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Compare tasks with messages once: send what was lost, close what cannot run, tidy up."""
    settings = load_settings()
    report = asyncio.run(_reconcile(settings, quiet_s, is_dry_run=dry_run))
    if as_json:
        print_json(report.as_dict())
        return
    rows = [
        {"what": str(item), "done": _MEANINGS[name]}
        for name, items in report.as_dict().items()
        for item in items
    ]
    if rows:
        print_rows((prose("what"), prose("done")), rows, title="would be done" if dry_run else None)
    else:
        console.print("nothing is amiss")


async def _reconcile(
    settings: Settings, quiet_s: float | None, *, is_dry_run: bool
) -> ReconcilerReport:
    from lexiclass_core.queueing.entries import EntryRules
    from lexiclass_worker.artifacts.opening import open_storage
    from lexiclass_worker.execution.reconciler import Reconciler

    chosen = settings.reconciler
    if quiet_s is not None:
        chosen = ReconcilerSettings(interval_s=max(quiet_s, 1e-6), orphan_age_s=chosen.orphan_age_s)
    with open_messages(settings) as messages, open_sender(settings) as sender:
        async with open_sessions(settings) as sessions:
            reconciler = Reconciler(
                sessions=sessions,
                messages=messages,
                send=sender.send,
                storage=open_storage(settings.storage.base_path),
                settings=chosen,
                rules=EntryRules(
                    signer=settings.dramatiq.signer, most_bytes=settings.dramatiq.message_bytes
                ),
            )
            return await reconciler.run(is_dry_run=is_dry_run)
