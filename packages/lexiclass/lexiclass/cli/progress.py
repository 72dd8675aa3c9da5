"""Progress on standard error, for whoever watches."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich import progress

from lexiclass.cli.output import errors
from lexiclass.stages import Progress


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Show stages on standard error, if somebody watches, for the time of a ``with`` block."""
    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("{task.completed:,.0f}"),
        progress.TimeElapsedColumn(),
    )
    shown: dict[str, progress.TaskID] = {}
    with progress.Progress(*columns, console=errors, disable=not sys.stderr.isatty()) as bars:

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                shown[stage] = bars.add_task(stage)
            bars.update(shown[stage], completed=done, total=total)

        yield tell
