"""``lexiclass-worker models sign``."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lexiclass_worker.cli.connections import open_sessions
from lexiclass_worker.cli.output import AsJson, print_json, print_rows, prose
from lexiclass_worker.cli.references import find_project
from lexiclass_worker.config import Settings, load_settings

if TYPE_CHECKING:
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
    done = asyncio.run(_sign(load_settings(), project))
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


async def _sign(settings: Settings, project: str | None) -> list[Signing]:
    from lexiclass_worker.admin.signing import sign_files
    from lexiclass_worker.artifacts.opening import open_storage
    from lexiclass_worker.repositories import projects

    storage = open_storage(settings.storage.base_path)
    async with open_sessions(settings) as sessions:
        if project is not None:
            ids = [await find_project(sessions, project)]
        else:
            async with sessions() as session:
                ids = [each["id"] for each in await projects.list_projects(session)]
        return [
            each
            for project_id in ids
            for each in await sign_files(sessions, storage, settings, project_id)
        ]
