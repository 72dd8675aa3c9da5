"""``lexiclass-worker queues ...``."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from lexiclass_core.queue_config import QueueName
from lexiclass_worker.cli.connections import in_session, open_sessions
from lexiclass_worker.cli.output import (
    EXIT_FAILED,
    AsJson,
    Column,
    console,
    print_json,
    print_rows,
    prose,
)
from lexiclass_worker.config import Settings, load_settings

app = typer.Typer(help="What waits in each queue, and whether it may start.", no_args_is_help=True)

Queues = Annotated[list[QueueName], typer.Argument(help="Queues; name one or more.")]
Reason = Annotated[str | None, typer.Option(help="Why; `queues list` shows it.")]

_TELL_EVERY_S: Final = 5.0


@app.command("list")
def list_queues(as_json: AsJson = False) -> None:
    """List the queues: what runs, waits or is dead, and since when one is paused."""
    rows = asyncio.run(_list(load_settings()))
    if as_json:
        print_json(rows)
        return
    oldest = Column("oldest_age_s", "oldest")
    columns = ("queue", "running", "ready", "in_progress", "delayed", "dead", oldest)
    print_rows((*columns, "paused_since", prose("reason")), rows)


@app.command("pause")
def pause(queues: Queues, reason: Reason = None, as_json: AsJson = False) -> None:
    """Let no task of some queues start until they are resumed; what runs goes on.

    With `prediction` goes `bulk`, where the chunks of large predictions wait.
    """
    from lexiclass_core.tasks import admission
    from lexiclass_core.tasks.draining import with_parts

    in_session(
        load_settings(), lambda session: admission.pause(session, with_parts(queues), reason)
    )
    _say(queues, "paused", as_json=as_json)


@app.command("resume")
def resume(queues: Queues, as_json: AsJson = False) -> None:
    """Let the tasks of some queues start again; `bulk` with `prediction`."""
    from lexiclass_core.tasks import admission
    from lexiclass_core.tasks.draining import with_parts

    in_session(load_settings(), lambda session: admission.resume(session, with_parts(queues)))
    _say(queues, "open", as_json=as_json)


@app.command("drain")
def drain(
    queues: Queues,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Longest wait in seconds.")
    ] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Pause some queues and wait until none of their tasks runs; they stay paused.

    With `prediction` goes `bulk`, where the chunks of large predictions wait. Exit status 1
    if some still run when the time is up.
    """
    settings = load_settings()
    left = asyncio.run(_drain(settings, queues, reason, timeout_s, is_quiet=as_json))
    if as_json:
        print_json({"queues": queues, "state": "paused", "running": left})
    elif left:
        console.print(
            f"{left} tasks still run after {timeout_s:g} s; the queues are paused, and stay so "
            "until `queues resume`"
        )
    else:
        console.print(f"nothing of {_names(queues)} runs; paused until `queues resume`")
    if left:
        raise typer.Exit(EXIT_FAILED)


def _say(queues: Sequence[QueueName], state: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"queues": queues, "state": state})
    else:
        console.print(f"{_names(queues)}: {state}")


def _names(queues: Sequence[QueueName]) -> str:
    from lexiclass_core.tasks.draining import with_parts

    return ", ".join(queue for queue in QueueName if queue in with_parts(queues))


async def _list(settings: Settings) -> list[dict[str, Any]]:
    from lexiclass_core.tasks import admission
    from lexiclass_worker.telemetry.queues import QueueSource

    async with open_sessions(settings) as sessions, sessions() as session:
        pauses = await admission.pauses(session)
        running = await admission.running_by_queue(session)
    states = await asyncio.to_thread(QueueSource(settings.dramatiq).read_states)
    return [
        {
            "queue": queue,
            "running": running[queue],
            **asdict(states[queue]),
            "paused_since": pauses[queue].since if queue in pauses else None,
            "reason": pauses[queue].reason if queue in pauses else None,
        }
        for queue in QueueName
    ]


async def _drain(
    settings: Settings,
    queues: Sequence[QueueName],
    reason: str | None,
    timeout_s: float | None,
    *,
    is_quiet: bool,
) -> int:
    """Returns how many tasks still run when the time is up."""
    from lexiclass_core.tasks.draining import drain

    began = told_at = time.monotonic()
    told: int | None = None
    async with open_sessions(settings) as sessions:
        async for left in drain(sessions.begin, queues, reason):
            now = time.monotonic()
            if left and timeout_s is not None and now - began >= timeout_s:
                return left
            if left and not is_quiet and (left != told or now - told_at >= _TELL_EVERY_S):
                console.print(f"[dim]{left} running, {now - began:.0f} s so far", highlight=False)
                told, told_at = left, now
    return 0
