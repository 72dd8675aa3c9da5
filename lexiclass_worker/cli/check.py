"""``lexiclass-worker check``: a doctor."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

import typer
from rich.text import Text

from lexiclass_worker.cli.output import (
    EXIT_FAILED,
    AsJson,
    print_json,
    print_rows,
    print_text,
    prose,
)
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_worker.admin.doctor.report import CheckReport


def check(as_json: AsJson = False) -> None:
    """Say whether what workers need is there and can be used, and what mends what is not.

    Exit status 0 where tasks can run, with or without warnings; 1 where a check fails; 2 where the
    settings cannot be read.
    """
    from lexiclass_worker.admin.doctor import Doctor
    from lexiclass_worker.admin.doctor.report import CheckReport
    from lexiclass_worker.telemetry.checks.outcome import State

    doctor = Doctor(load_settings())
    report = CheckReport.of(doctor.check())
    if as_json:
        print_json(report.model_dump(mode="json", by_alias=True))
    else:
        _print(report)
    status = EXIT_FAILED if report.state is State.FAIL else 0
    if doctor.is_hanging:
        end_at_once(status)
    if status:
        raise typer.Exit(status)


def end_at_once(status: int) -> NoReturn:
    """End without threads that hang, for which Python waits: one may ask a name server."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _print(report: CheckReport) -> None:
    from lexiclass_worker.telemetry.checks.outcome import State

    styles = {State.PASS: "green", State.WARN: "bold yellow", State.FAIL: "bold red"}
    rows = [
        {
            "check": entry.check,
            "state": Text(str(entry.state), style=styles.get(entry.state, "dim")),
            "found": f"{entry.found}\n-> {entry.remedy}" if entry.remedy else entry.found,
        }
        for entry in report.checks
    ]
    print_rows(("check", "state", prose("found")), rows)
    counts = report.counts
    print_text(
        f"\n{counts.passed} pass, {counts.warn} warn, {counts.fail} fail, {counts.skipped} skipped"
    )
