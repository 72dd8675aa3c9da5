"""``lexiclass-worker check``: a doctor."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import typer

from lexiclass_worker.cli.output import EXIT_FAILED, AsJson, print_json, print_rows, prose
from lexiclass_worker.config import Settings, load_settings

if TYPE_CHECKING:
    from lexiclass_worker.telemetry.checks import Check

# Somebody waits for it, and sees why; the libraries take seconds to load.
_DEADLINE_S: Final = 60.0


def check(as_json: AsJson = False) -> None:
    """Say whether what workers need is there and can be used, as /readyz does, and who listens."""
    from lexiclass_worker.telemetry.checks import CHECKS, check_queues, check_settings
    from lexiclass_worker.telemetry.readiness import Readiness

    # Settings and queues keep no worker from its work: no matter of /readyz.
    looked_at = {
        "settings": check_settings, **CHECKS, "sandbox": _check_sandbox, "queues": check_queues
    }  # fmt: skip
    checks = Readiness(load_settings(), checks=looked_at, deadline_s=_DEADLINE_S).check()
    rows = [
        {
            "check": entry.name,
            "state": _state(entry),
            "reason": entry.reason or entry.warning or entry.detail,
        }
        for entry in checks
    ]
    print_json(rows) if as_json else print_rows(("check", "state", prose("reason")), rows)
    if not all(entry.ok for entry in checks):
        raise typer.Exit(EXIT_FAILED)


def _check_sandbox(settings: Settings) -> Check:
    """What /readyz only begins with: the fork server of workers, and a job in a child of it."""
    from lexiclass_worker.jobs.training import ValidateJob
    from lexiclass_worker.sandbox import Sandbox
    from lexiclass_worker.telemetry.checks import attempt

    def look() -> None:
        sandbox = Sandbox.from_settings(settings, tasks=1)
        sandbox.warm_up()
        asyncio.run(sandbox.run(ValidateJob(pipeline={})))

    return attempt("sandbox", settings, look)


def _state(check: Check) -> str:
    if not check.ok:
        return "DOWN"
    return "WARNING" if check.warning else "ok"
