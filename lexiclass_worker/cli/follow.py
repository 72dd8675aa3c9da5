"""Submitting a request and watching what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Final

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape

from lexiclass.cli.progress import Bars
from lexiclass.cli.values import number
from lexiclass_core.statuses import Hindrance, TaskStatus
from lexiclass_worker.cli.output import EXIT_FAILED, console, duration, errors

if TYPE_CHECKING:
    from lexiclass_core.client import TaskClient, TaskEvent, TaskSnapshot
    from lexiclass_core.schemas import Request

# 128 and the number of the signal, as shells have it.
_EXIT_INTERRUPTED: Final = 130

_LINE_INTERVAL_S: Final = 5.0

Show = Callable[["TaskEvent"], None]
View = Callable[[str], AbstractContextManager[Show]]
"""Shows the events of a task, which is described in a word or two, for a ``with`` block."""


def submit_and_watch(client: TaskClient, request: Request, description: str) -> TaskSnapshot:
    """Submit a request and show progress until its task is final.

    Raises:
        typer.Exit: If it does not succeed; the reason is printed.
    """
    return require_success(_show(client, client.submit(request).id, description, view_on(console)))


def watch(client: TaskClient, task_id: int, description: str, view: View) -> TaskSnapshot:
    """Show a task until it is final.

    Raises:
        typer.Exit: If somebody presses Ctrl-C; the task goes on.
    """
    try:
        return _show(client, task_id, description, view)
    except KeyboardInterrupt:
        errors.print(
            f"task {task_id} goes on; to watch it: lexiclass-worker tasks watch {task_id}; "
            f"to cancel it: lexiclass-worker tasks cancel {task_id}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(_EXIT_INTERRUPTED) from None


def _show(client: TaskClient, task_id: int, description: str, view: View) -> TaskSnapshot:
    with view(description) as show:
        for event in client.watch(task_id):
            show(event)
    return client.status(task_id)


def require_success(task: TaskSnapshot) -> TaskSnapshot:
    """The task.

    Raises:
        typer.Exit: If it did not succeed; the reason is printed.
    """
    if task.status is not TaskStatus.SUCCEEDED:
        report_failure(task)
        raise typer.Exit(EXIT_FAILED)
    return task


def report_failure(task: TaskSnapshot) -> None:
    """Print why a task has no result."""
    if task.error is None:
        errors.print(f"task {task.id} is {task.status}")
    else:
        errors.print(
            f"[bold red]task {task.id} {task.status}:[/] {task.error.code}: "
            f"{escape(task.error.message)}",
            highlight=False,
            soft_wrap=True,
        )


def view_on(out: Console) -> View:
    """A bar for whoever sits before a terminal, lines for a file or a pipe."""
    return lambda description: (_bar if out.is_terminal else _lines)(description, out)


@contextmanager
def silence(_description: str) -> Iterator[Show]:
    """Show nothing."""
    yield _ignore


@contextmanager
def json_lines(_description: str) -> Iterator[Show]:
    """Print each event as JSON on a line of its own."""
    yield lambda event: typer.echo(event.model_dump_json())


def _ignore(_event: TaskEvent) -> None:
    pass


@contextmanager
def _bar(description: str, out: Console) -> Iterator[Show]:
    with Bars(out, "{task.percentage:>3.0f} %", name_width=cell_len(description)) as bars:
        bar = bars.add_task(description, total=100, note="")
        yield lambda event: bars.update(bar, completed=event.progress, note=note_of(event))


@contextmanager
def _lines(description: str, out: Console) -> Iterator[Show]:
    printed_at = 0.0
    printed: tuple[object, ...] = ()

    def show(event: TaskEvent) -> None:
        nonlocal printed_at, printed
        what = (event.status, event.stage or "", event.attempt, event.hindrance)
        if what != printed or monotonic() - printed_at >= _LINE_INTERVAL_S:
            line = f"{description}: {event.progress:>3} % {note_of(event)}"
            out.print(line, highlight=False, markup=False, soft_wrap=True)
            printed_at, printed = monotonic(), what

    yield show


def note_of(event: TaskEvent) -> str:
    """What an event tells beside the percentage, for people."""
    match event.status:
        case TaskStatus.PENDING:
            return _hindered(_queued(event), event)
        case TaskStatus.RETRYING:
            failed = f"attempt {event.attempt} of {event.max_attempts} failed, trying again"
            return _hindered(failed, event)
        case TaskStatus.STARTED:
            return _running(event)
        case status:
            return status


def hindrance_text(hindrance: Hindrance | None, queue: str | None) -> str | None:
    """Why no worker takes the tasks of a queue, for people."""
    match hindrance:
        case Hindrance.PAUSED:
            return f"queue {queue} is paused"
        case Hindrance.NO_WORKER:
            return f"no worker listens to queue {queue}"
        case _:
            return None


def _hindered(note: str, event: TaskEvent) -> str:
    text = hindrance_text(event.hindrance, event.queue)
    return note if text is None else f"{note}; {text}"


def _queued(event: TaskEvent) -> str:
    if event.stage is not None:
        return "waits for other tasks of its project to end"
    if event.queue_position is not None:
        return f"queued, {event.queue_position:,} before it"
    if event.not_before is not None and event.not_before > event.at:
        return f"waits until {event.not_before.astimezone():%Y-%m-%d %H:%M:%S}"
    return "queued"


def _running(event: TaskEvent) -> str:
    parts = [event.stage or "started"]
    if event.done is not None and event.total is not None:
        parts[0] += f" {event.done:,} of {event.total:,} {event.unit}"
    if event.rate is not None:
        parts.append(f"{number(event.rate)} {event.unit}/s")
    if event.task_eta_s is not None:
        parts.append(f"{duration(round(event.task_eta_s))} left")
    elif event.eta_s is not None:
        parts.append(f"{duration(round(event.eta_s))} left of this stage")
    if event.attempt > 1:
        parts.append(f"attempt {event.attempt}")
    return ", ".join(parts)
