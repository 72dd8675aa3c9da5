"""``lexiclass-worker models serve|promote|rollback|retire|reinstate``."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from lexiclass_core.statuses import ServingRule
from lexiclass_worker.cli.connections import in_context, in_session
from lexiclass_worker.cli.output import AsJson, console, print_json
from lexiclass_worker.cli.references import (
    FieldWords,
    VersionWords,
    find_lone_field,
    resolve_lone_field,
    split_version,
)
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from lexiclass_core.versions import Author, Change, GatedChange, RuleChange
    from lexiclass_worker.admin.context import AdminContext

T = TypeVar("T")

By = Annotated[str | None, typer.Option("--by", help="Who, for the history; you, by default.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the history.")]


def serve(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[PROJECT] FIELD newest|promoted",
            help="Names, or the number of the field alone; then what serves while no version is "
            "promoted: the newest that is ready, or none.",
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Also if it leaves the field without a version.")
    ] = False,
    by: By = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Say whether the newest version of a field serves by itself, or only what is promoted."""
    from lexiclass_core import versions

    *field, rule = words
    if not field or rule not in {*ServingRule}:
        raise typer.BadParameter(
            f"expected [PROJECT] FIELD and newest or promoted, found {' '.join(words)!r}"
        )
    author = author_of(by, reason)
    change = _change(
        field,
        lambda session, field_id: versions.set_serving_rule(
            session, field_id, ServingRule(rule), author, force=force
        ),
    )
    if as_json:
        print_json(asdict(change))
        return
    what = "the newest version serves" if rule == ServingRule.NEWEST else "only promoted ones serve"
    console.print(f"{what}{'' if change.is_new else ' already'}")
    _print_serving(change)


def promote(
    words: VersionWords,
    gate: Annotated[
        bool, typer.Option("--gate", help="Only if it passes the gates of its field.")
    ] = False,
    override: Annotated[
        str | None,
        typer.Option(
            "--override", metavar="REASON", help="With --gate: whatever they say, and why."
        ),
    ] = None,
    by: By = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Verify a version's files, and let it serve until another is promoted."""
    from lexiclass_core.versions import Change
    from lexiclass_worker.admin import promotion
    from lexiclass_worker.cli.gates import print_gated

    field, version = split_version(words)
    if override is not None and not gate:
        raise typer.BadParameter("--override is for --gate: without it there is no gate")
    if override is not None and (reason or not override.strip()):
        raise typer.BadParameter("say why once: --override REASON")
    author = author_of(by, reason if override is None else override)

    async def run(context: AdminContext) -> Change | GatedChange:
        what = context, await find_lone_field(context.sessions, field), version, author
        if not gate:
            return await promotion.promote(*what)
        return await promotion.promote_through_gates(*what, override=override is not None)

    done = in_context(load_settings(), run)
    if isinstance(done, Change):
        print_change(done, "is promoted", as_json=as_json)
    else:
        print_gated(version, done, as_json=as_json)


def rollback(
    words: FieldWords, by: By = None, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Undo the latest promotion: what was promoted before serves again. Can be repeated."""
    from lexiclass_core import versions

    author = author_of(by, reason)
    change = _change(words, lambda session, field_id: versions.roll_back(session, field_id, author))
    print_change(change, "is rolled back", as_json=as_json)


def retire(
    words: VersionWords,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Also one that is promoted, the last that can serve, or used by open tasks.",
        ),
    ] = False,
    by: By = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Take a version out of use: no task uses it any more, not even by name. Its files stay."""
    from lexiclass_core import versions

    field, version = split_version(words)
    author = author_of(by, reason)
    change = _change(
        field,
        lambda session, field_id: versions.retire(session, field_id, version, author, force=force),
    )
    print_change(change, "is retired", as_json=as_json)


def reinstate(
    words: VersionWords, by: By = None, reason: Reason = "", as_json: AsJson = False
) -> None:
    """Bring a retired version back into use."""
    from lexiclass_core import versions

    field, version = split_version(words)
    author = author_of(by, reason)
    change = _change(
        field, lambda session, field_id: versions.reinstate(session, field_id, version, author)
    )
    print_change(change, "is in use", as_json=as_json)


def _change(field: list[str], work: Callable[[AsyncSession, int], Awaitable[T]]) -> T:
    settings = load_settings()
    field_id = resolve_lone_field(settings, field)
    return in_session(settings, lambda session: work(session, field_id))


def print_change(change: Change, what: str, *, as_json: bool) -> None:
    """Print what was changed, and what serves now."""
    if as_json:
        print_json(asdict(change))
        return
    console.print(f"version {change.version} {what}{'' if change.is_new else ' already'}")
    _print_serving(change)


def _print_serving(change: Change | RuleChange) -> None:
    now = "no version serves" if change.after is None else f"version {change.after} serves"
    before = "none" if change.before is None else f"version {change.before}"
    if change.before == change.after:
        console.print(f"{now}, as before")
    else:
        console.print(f"{now}, before it was {before}")


def author_of(by: str | None, reason: str) -> Author:
    """Who a command is from.

    Raises:
        BadParameter: If nobody is named and the account has no name.
    """
    from lexiclass_core.versions import Author

    try:
        return Author(by if by is not None else getpass.getuser(), reason)
    except (ValueError, KeyError, OSError) as error:
        # getpass raises one of the latter where the account has no name.
        raise typer.BadParameter(f"say who you are with --by ({error})") from error
