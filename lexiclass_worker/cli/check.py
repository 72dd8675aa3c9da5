"""``lexiclass-worker check``: a doctor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from lexiclass_worker.cli.connections import open_engine
from lexiclass_worker.cli.output import EXIT_FAILED, AsJson, print_json, print_rows, prose
from lexiclass_worker.config import Settings, load_settings

if TYPE_CHECKING:
    from lexiclass_worker.telemetry.health import Check


def check(as_json: AsJson = False) -> None:
    """Say whether Redis, PostgreSQL, its tables and the storage are ready for workers."""
    from lexiclass_worker.telemetry.health import check_all

    settings = load_settings()
    checks = list(check_all(settings))
    if all(entry.ok for entry in checks if entry.name == "postgresql"):
        checks.append(asyncio.run(_check_tables(settings)))
    rows = [
        {"check": entry.name, "state": "ok" if entry.ok else "DOWN", "reason": entry.reason}
        for entry in checks
    ]
    print_json(rows) if as_json else print_rows(("check", "state", prose("reason")), rows)
    if not all(entry.ok for entry in checks):
        raise typer.Exit(EXIT_FAILED)


async def _check_tables(settings: Settings) -> Check:
    from lexiclass_core.db.migrate import current_revision, head_revision
    from lexiclass_worker.telemetry.health import Check

    async with open_engine(settings) as engine:
        found = await current_revision(engine)
    wanted = head_revision()
    if found == wanted:
        return Check("tables", ok=True)
    return Check(
        "tables",
        ok=False,
        reason=f"at version {found or 'none'}, expected {wanted}: run lexiclass-worker db upgrade",
    )
