"""``lexiclass-worker db ...``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import typer

from lexiclass_worker.cli.connections import explicit_timeout_s, open_engine
from lexiclass_worker.cli.output import AsJson, errors, print_fields, print_json
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_core.db.schema import Schema

app = typer.Typer(help="The database's tables.", no_args_is_help=True)


@app.command("upgrade")
def upgrade_command(as_json: AsJson = False) -> None:
    """Bring the tables to the newest version; nothing happens if they are there.

    It takes as long as it takes, unless DATABASE__COMMAND_TIMEOUT_S is set.
    """
    before, after = asyncio.run(_upgrade())
    fields = {"before": before, "now": after}
    print_json(fields) if as_json else print_fields(fields)


@app.command("current")
def current(as_json: AsJson = False) -> None:
    """Show which version the tables have, and whether this release can use them."""
    schema = asyncio.run(_read())
    state = schema.problem or ("newer, and serve this release" if schema.is_newer else "ok")
    fields = {"database": schema.found, "newest": schema.known, "state": state}
    print_json(fields) if as_json else print_fields(fields)


async def _upgrade() -> tuple[str | None, str | None]:
    from lexiclass_core.db.migrate import UpgradeHeldUp, current_revision, upgrade
    from lexiclass_worker.errors import DatabaseUnavailable

    settings = load_settings()
    longest_s = explicit_timeout_s(settings)
    async with open_engine(settings, has_time=True) as engine:
        before = await current_revision(engine)
        try:
            await upgrade(engine, longest_wait_s=longest_s, tell=_tell)
        except UpgradeHeldUp as error:
            raise DatabaseUnavailable(
                f"{error}, and DATABASE__COMMAND_TIMEOUT_S is {longest_s:g}: run this again when "
                "that is done, or leave the setting out"
            ) from error
        return before, await current_revision(engine)


async def _read() -> Schema:
    from lexiclass_core.db.schema import read_schema

    async with open_engine(load_settings()) as engine, engine.connect() as connection:
        return await read_schema(connection)


def _tell(what: str) -> None:
    errors.print(what, highlight=False, markup=False, soft_wrap=True)
