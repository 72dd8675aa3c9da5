"""``lexiclass-worker dead-letters ...``: messages that were given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lexiclass.cli.option_groups import grouped
from lexiclass_core.codes import ErrorCode
from lexiclass_core.queue_config import QueueName
from lexiclass_worker.cli.connections import open_client
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
from lexiclass_worker.cli.references import Limit
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_core.client import DeadLetterSelection, DeadTask, Handled

app = typer.Typer(help="Messages that were given up.", no_args_is_help=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Which:
    """Which dead letters, in the words of the command line."""

    queue: Annotated[QueueName | None, typer.Option(help="Of this queue only.")] = None
    kind: Annotated[OperationName | None, typer.Option("--type", help="For this actor only.")] = (
        None
    )
    code: Annotated[ErrorCode | None, typer.Option(help="That failed with this code only.")] = None
    older_than_h: Annotated[
        float | None,
        typer.Option("--older-than-h", min=0, max=1e6, help="Given up so many hours ago only."),
    ] = None

    def selection(self, keys: Sequence[str] = ()) -> DeadLetterSelection:
        from lexiclass_core.client import DeadLetterSelection

        hours = self.older_than_h
        return DeadLetterSelection(
            keys=keys,
            queue=self.queue,
            type=self.kind,
            code=self.code,
            older_than=None if hours is None else timedelta(hours=hours),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meant:
    """Those that something is done with, of which a command must be told."""

    keys: Annotated[list[str] | None, typer.Argument(help="Keys, as `list` shows them.")] = None
    everything: Annotated[
        bool, typer.Option("--all", help="All of them, when nothing else says which.")
    ] = False
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False

    def selection(self, which: _Which) -> DeadLetterSelection:
        found = which.selection(self.keys or ())
        if not found and not self.everything:
            raise typer.BadParameter(
                "say which: keys, --queue, --type, --code, --older-than-h or --all"
            )
        return found


_COLUMNS: Final = ("key", "code", "type", "task_id", "died_at", "queue", prose("message"))


@app.command("list")
@grouped
def list_dead_letters(
    which: _Which,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List dead letters with what their tasks failed with, newest first."""
    with open_client(load_settings()) as client:
        rows = [_fields(each) for each in client.dead_letters.list(which.selection(), limit=limit)]
    print_json(rows) if as_json else print_rows(_COLUMNS, rows)


@app.command("show")
def show_dead_letter(
    key: Annotated[str, typer.Argument(help="Key, as `list` shows it.")], as_json: AsJson = False
) -> None:
    """Show all of a dead letter: the message, and why it was given up."""
    from lexiclass_worker.errors import NotFound

    with open_client(load_settings()) as client:
        found = client.dead_letters.list(_Which().selection([key]))
    if not found:
        raise NotFound(f"no dead letter {key!r}")
    (dead,) = found
    entry = dead.letter.fields or {"entry": dead.letter.entry.decode(errors="backslashreplace")}
    fields = {
        **_fields(dead),
        "error": None if dead.error is None else dead.error.model_dump(exclude_unset=True),
        "attempts": dead.task.attempts if dead.task is not None else None,
        "entry": entry,
    }
    print_json(fields) if as_json else print_fields(fields)


@app.command("replay")
@grouped
def replay(meant: _Meant, which: _Which, as_json: AsJson = False) -> None:
    """Submit the requests of dead letters as new tasks.

    Those of cancelled tasks are left out, unless --code CANCELLED or their keys ask for them.
    """
    selection = meant.selection(which)
    with open_client(load_settings()) as client:
        done = client.dead_letters.replay(selection, dry_run=meant.dry_run)
    _end_with(done, as_json=as_json)


@app.command("purge")
@grouped
def purge(meant: _Meant, which: _Which, as_json: AsJson = False) -> None:
    """Remove dead letters from Redis; the rows of their tasks stay."""
    selection = meant.selection(which)
    with open_client(load_settings()) as client:
        done = client.dead_letters.purge(selection, dry_run=meant.dry_run)
    _end_with(done, as_json=as_json)


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


def _end_with(handled: Sequence[Handled], *, as_json: bool) -> None:
    rows = [_fields(each.dead) | {"done": each.done} for each in handled]
    for row, each in zip(rows, handled, strict=True):
        if each.new_task_id is not None:
            row["new_task_id"] = each.new_task_id
        if each.has_failed:
            row["failed"] = True
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(("key", prose("done"), "type", "task_id", "code"), rows)
    else:
        console.print("no dead letter is meant")
    if any(each.has_failed for each in handled):
        raise typer.Exit(EXIT_FAILED)
