"""Progress for whoever sits before a terminal: a bar and the time at any width, a note below."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from rich import progress
from rich.console import Console, RenderableType
from rich.text import Text

from lexiclass.cli.output import errors
from lexiclass.stages import Progress

_WIDEST_BAR: Final = 40
_NARROWEST_BAR: Final = 8

# The longest name of a stage of ours, and what stands beside it and the bar: a figure, the time.
_NAME_WIDTH: Final = 24
_FIGURES_WIDTH: Final = 20


class Bars(progress.Progress):
    """Bars that keep their width; a task's field ``note`` stands below, cut where the line ends.

    Args:
        console: Where they are shown.
        figure: What stands between a bar and its time, in Rich's format; nothing if not given.
        name_width: Cells of the longest description.
        is_shown: Whether anything is shown at all.
    """

    def __init__(
        self,
        console: Console,
        figure: str = "",
        *,
        name_width: int = _NAME_WIDTH,
        is_shown: bool = True,
    ) -> None:
        room = console.width - name_width - _FIGURES_WIDTH
        width = max(_NARROWEST_BAR, min(_WIDEST_BAR, room))
        columns = [
            progress.SpinnerColumn(),
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=width),
            *([progress.TextColumn(figure)] if figure else []),
            progress.TimeElapsedColumn(),
        ]
        super().__init__(*columns, console=console, disable=not is_shown)

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars, and below them the notes."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            if note := task.fields.get("note"):
                yield Text(f"  {note}", style="dim", no_wrap=True, overflow="ellipsis")


@contextmanager
def progress_bar(*, is_shown: bool = True) -> Iterator[Progress]:
    """Show stages on standard error, if somebody watches, for the time of a ``with`` block."""
    shown: dict[str, progress.TaskID] = {}
    with Bars(errors, "{task.completed:,.0f}", is_shown=is_shown and sys.stderr.isatty()) as bars:

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in shown:
                shown[stage] = bars.add_task(stage)
            bars.update(shown[stage], completed=done, total=total)

        yield tell
