"""``lexiclass-worker models sign``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lexiclass_worker.cli.connections import in_context
from lexiclass_worker.cli.output import AsJson, print_json, print_rows, prose
from lexiclass_worker.cli.references import find_project
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_worker.admin.context import AdminContext
    from lexiclass_worker.admin.signing import Signing


def sign(
    project: Annotated[
        str | None,
        typer.Argument(metavar="[PROJECT]", help="Name or number of one; all if none is named."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign models, reports and indexes as they are, with the first of STORAGE__SIGNING_KEYS.

    Once after the first key is set, and after another one has come before it. What the rows know
    otherwise than it lies in the storage is refused.
    """
    from lexiclass_worker.admin.signing import sign_files
    from lexiclass_worker.repositories import projects

    async def sign_all(context: AdminContext) -> list[Signing]:
        if project is not None:
            ids = [await find_project(context.sessions, project)]
        else:
            async with context.sessions() as session:
                ids = [each["id"] for each in await projects.list_projects(session)]
        return [each for project_id in ids for each in await sign_files(context, project_id)]

    done = in_context(load_settings(), sign_all)
    if as_json:
        print_json([asdict(each) for each in done])
    else:
        rows = [
            {
                "project": each.project_id,
                "what": _described(each),
                "outcome": each.outcome,
                "reason": each.reason,
            }
            for each in done
        ]
        print_rows(("project", "what", "outcome", prose("reason")), rows)
    if any(each.outcome == "refused" for each in done):
        raise typer.Exit(1)


def _described(signing: Signing) -> str:
    if signing.field_id is None:
        return f"index {signing.name}"
    version = f"field {signing.field_id}, version {signing.name}"
    return version if signing.test_set is None else f"{version}, report {signing.test_set[:12]}"
