"""``lexiclass-worker dead-letters ...``: messages that were given up."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lexiclass_core.codes import ErrorCode
from lexiclass_core.queue_config import QueueName
from lexiclass_worker.cli.connections import open_client, open_messages, open_sessions
from lexiclass_worker.cli.operation_names import OperationName
from lexiclass_worker.cli.output import (
    EXIT_FAILED,
    AsJson,
    console,
    print_fields,
    print_json,
    print_rows,
    prose,
)
from lexiclass_worker.config import Settings, load_settings

if TYPE_CHECKING:
    from lexiclass_core.client import TaskClient
    from lexiclass_worker.queueing.dead_letters import DeadTask, Selection
    from lexiclass_worker.queueing.messages import MessageStore

app = typer.Typer(help="Messages that were given up.", no_args_is_help=True)

Keys = Annotated[list[str] | None, typer.Argument(help="Keys, as `list` shows them.")]
Queue = Annotated[QueueName | None, typer.Option(help="Of this queue only.")]
Kind = Annotated[OperationName | None, typer.Option("--type", help="For this actor only.")]
Code = Annotated[ErrorCode | None, typer.Option(help="That failed with this code only.")]
OlderThan = Annotated[
    float | None,
    typer.Option("--older-than-h", min=0, max=1e6, help="Given up so many hours ago only."),
]
All = Annotated[bool, typer.Option("--all", help="All of them, when nothing else says which.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]

_COLUMNS: Final = ("key", "code", "type", "task_id", "died_at", "queue", prose("message"))


@app.command("list")
def list_dead_letters(
    queue: Queue = None,
    kind: Kind = None,
    code: Code = None,
    older_than_h: OlderThan = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters with what their tasks failed with, newest first."""
    selection = _selection(None, queue, kind, code, older_than_h)
    settings = load_settings()
    with open_messages(settings) as messages:
        found = asyncio.run(_find(settings, messages, selection, limit=limit))
    rows = [_fields(dead) for dead in found]
    print_json(rows) if as_json else print_rows(_COLUMNS, rows)


@app.command("show")
def show_dead_letter(
    key: Annotated[str, typer.Argument(help="Key, as `list` shows it.")], as_json: AsJson = False
) -> None:
    """Show all of a dead letter: the message, and why it was given up."""
    from lexiclass_worker.errors import NotFound
    from lexiclass_worker.queueing.dead_letters import Selection

    settings = load_settings()
    with open_messages(settings) as messages:
        found = asyncio.run(_find(settings, messages, Selection(keys=[key])))
    if not found:
        raise NotFound(f"no dead letter {key!r}")
    (dead,) = found
    entry = dead.letter.fields or {"entry": dead.letter.entry.decode(errors="backslashreplace")}
    fields = {
        **_fields(dead),
        "error": dead.task.error if dead.task is not None else None,
        "attempts": dead.task.attempts if dead.task is not None else None,
        "entry": entry,
    }
    print_json(fields) if as_json else print_fields(fields)


@app.command("replay")
def replay(
    keys: Keys = None,
    queue: Queue = None,
    kind: Kind = None,
    code: Code = None,
    older_than_h: OlderThan = None,
    everything: All = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Submit the requests of dead letters as new tasks.

    Those of cancelled tasks are left out, unless --code CANCELLED or their keys ask for them.
    """
    selection = _require(_selection(keys, queue, kind, code, older_than_h), everything)
    settings = load_settings()
    with open_messages(settings) as messages, open_client(settings) as client:
        found = asyncio.run(_find(settings, messages, selection))
        if not selection.keys and selection.code is None:
            found = [dead for dead in found if dead.code != ErrorCode.CANCELLED]
        rows = [_replay(dead, messages, client, is_dry_run=dry_run) for dead in found]
    _print_done(rows, as_json=as_json)
    if any(row.get("failed") for row in rows):
        raise typer.Exit(EXIT_FAILED)


@app.command("purge")
def purge(
    keys: Keys = None,
    queue: Queue = None,
    kind: Kind = None,
    code: Code = None,
    older_than_h: OlderThan = None,
    everything: All = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Remove dead letters from Redis; the rows of their tasks stay."""
    selection = _require(_selection(keys, queue, kind, code, older_than_h), everything)
    settings = load_settings()
    with open_messages(settings) as messages:
        rows = []
        for dead in asyncio.run(_find(settings, messages, selection)):
            is_there = dry_run or messages.remove_dead_letter(dead.letter)
            done = "would be removed" if dry_run else "removed" if is_there else "gone already"
            rows.append({**_fields(dead), "done": done})
    _print_done(rows, as_json=as_json)


def _replay(
    dead: DeadTask, messages: MessageStore, client: TaskClient, *, is_dry_run: bool
) -> dict[str, Any]:
    from redis import RedisError

    from lexiclass_core.client import InvalidTask, TaskClientError
    from lexiclass_worker.causes import cause_of

    fields = _fields(dead)
    try:
        request = dead.request()
    except InvalidTask as error:
        return {**fields, "done": f"left alone: {error}"}
    if is_dry_run:
        return {**fields, "done": "would be submitted"}
    # One that fails keeps none of the others from being submitted, or told of.
    try:
        new = client.submit(request, **dead.options())
    except InvalidTask as error:
        return {**fields, "done": f"left alone: {error}"}
    except TaskClientError as error:
        return {**fields, "done": f"failed: {error}", "failed": True}
    done = {**fields, "done": f"submitted as task {new.id}", "new_task_id": new.id}
    try:
        messages.remove_dead_letter(dead.letter)
    except RedisError as error:
        why = f"still a dead letter, for Redis does not answer ({cause_of(error)})"
        return {**done, "done": f"{done['done']}; {why}", "failed": True}
    return done


def _selection(
    keys: list[str] | None,
    queue: QueueName | None,
    kind: str | None,
    code: ErrorCode | None,
    older_than_h: float | None,
) -> Selection:
    from lexiclass_worker.queueing.dead_letters import Selection

    return Selection(
        keys=keys or (),
        queue=queue,
        type=kind,
        code=code,
        older_than=None if older_than_h is None else timedelta(hours=older_than_h),
    )


def _require(selection: Selection, everything: bool) -> Selection:
    if not selection and not everything:
        raise typer.BadParameter(
            "say which: keys, --queue, --type, --code, --older-than-h or --all"
        )
    return selection


async def _find(
    settings: Settings, messages: MessageStore, selection: Selection, *, limit: int | None = None
) -> list[DeadTask]:
    from lexiclass_worker.queueing.dead_letters import find
    from lexiclass_worker.queueing.entries import EntryRules

    rules = EntryRules.of(settings.dramatiq)
    async with open_sessions(settings) as sessions:
        return await find(sessions, messages, selection, rules, limit=limit)


def _fields(dead: DeadTask) -> dict[str, Any]:
    error = dead.error
    no_error = "no task" if dead.refusal is None else f"refused: {dead.refusal}"
    return {
        "key": dead.letter.key,
        "queue": dead.letter.queue,
        "type": dead.type,
        "task_id": dead.task.id if dead.task is not None else None,
        "message_id": dead.letter.message_id,
        "code": dead.code,
        "died_at": dead.letter.died_at,
        "message": no_error if error is None else error.message,
    }


def _print_done(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(("key", prose("done"), "type", "task_id", "code"), rows)
    else:
        console.print("no dead letter is meant")
