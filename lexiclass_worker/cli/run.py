"""``lexiclass-worker run`` and ``standalone``: workers, with or without servers of their own."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from lexiclass_core.queue_config import QueueName
from lexiclass_worker.cli.console import console_beside
from lexiclass_worker.cli.output import EXIT_FAILED, AsJson, console, print_json, told_beside
from lexiclass_worker.config import load_settings, set_process_variable
from lexiclass_worker.stop_signals import STOP_SIGNALS

if TYPE_CHECKING:
    from lexiclass_worker.standalone import Standalone

Threads = Annotated[int, typer.Option(min=1, help="Tasks that one process runs side by side.")]


def run(
    queues: Annotated[
        list[QueueName] | None, typer.Option("--queue", help="Listen to this queue only; repeat.")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes; one that dies takes the others along.")
    ] = 1,
    threads: Threads = 2,
    max_tasks: Annotated[
        int | None,
        typer.Option(min=1, help="End after so many tasks; of one process. LIMITS__MAX_TASKS."),
    ] = None,
) -> None:
    """Run workers in the foreground until SIGTERM or Ctrl-C."""
    from lexiclass_worker.worker_group import dramatiq_command

    settings = load_settings()
    settings.require_database_uri()
    limits = settings.limits
    if (max_tasks or limits.max_tasks or limits.idle_s) is not None and processes > 1:
        raise typer.BadParameter(
            f"the first of {processes} processes to have done its tasks, or to have none, would "
            "end the others in the middle of theirs: use --processes 1, and --threads for tasks "
            "side by side",
            param_hint="--max-tasks, LIMITS__IDLE_S",
        )
    if max_tasks is not None:
        set_process_variable("LIMITS__MAX_TASKS", str(max_tasks))
    command = dramatiq_command(processes=processes, threads=threads, queues=queues or [])
    # The workers take this process' place, so that a supervisor's signals reach them.
    os.execv(sys.executable, command)  # noqa: S606 - no shell is the point


def standalone(
    directory: Annotated[Path, typer.Option(help="Keeps the data.")] = Path(".standalone"),
    threads: Threads = 2,
    as_json: AsJson = False,
) -> None:
    """Run Redis, PostgreSQL and workers on this machine until Ctrl-C; data stay in a folder.

    With --json an object tells once they are ready where they are.
    """
    from lexiclass_worker import standalone as standalone_servers

    with (
        told_beside(as_json=as_json),
        interruptible() as interrupted,
        standalone_servers.standalone(directory, threads=threads, on_step=print_step) as running,
        ExitStack() as stack,
    ):
        _print_places(running)
        console.print("\nTasks, queues and models in a browser:")
        stack.enter_context(console_beside(running.settings))
        console.print("\nCtrl-C stops everything; the data stay.")
        if as_json:
            print_json(_places(running))
        while not interrupted.wait(timeout=1):
            if (ended := running.what_ended()) is not None:
                name, log = ended
                console.print(
                    f"{name} ended; its log is {escape(str(log))}. The data stay: start it again.",
                    highlight=False,
                    soft_wrap=True,
                )
                raise typer.Exit(EXIT_FAILED)


def _places(running: Standalone) -> dict[str, object]:
    return {
        "storage": str(running.storage),
        "metrics": {group.name: f"{group.metrics_address}/metrics" for group in running.groups},
        "environment": running.environment,
    }


def _print_places(running: Standalone) -> None:
    for group in running.groups:
        address = f"{group.metrics_address}/metrics"
        console.print(f"metrics and health of {group.name}: {address}", highlight=False)
    if running.unwritten:
        console.print(
            f"\nReady. Other commands do not find it by themselves ({escape(running.unwritten)}): "
            "set these in another terminal.\n"
        )
    else:
        console.print(
            "\nReady. Other commands in this folder use it by themselves, such as "
            "`lexiclass-worker tasks list`. Elsewhere, set these:\n"
        )
    for name, value in running.environment.items():
        setting = f"export {name}={shlex.quote(value)}"
        console.print(escape(setting), highlight=False, soft_wrap=True)


def print_step(step: str) -> None:
    """Print what is being done."""
    console.print(f"[dim]{escape(step)} ...", highlight=False)


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turn every signal that means "stop" into KeyboardInterrupt, so that each cleans up.

    SIGINT too: a shell starts its background jobs with SIGINT ignored.

    The event is for waiting; KeyboardInterrupt ends the ``with`` block quietly.
    """

    def interrupt(_signal_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in STOP_SIGNALS}
    try:
        yield threading.Event()
    except KeyboardInterrupt:
        console.print("stopped")
        raise typer.Exit(128 + signal.SIGINT) from None
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
