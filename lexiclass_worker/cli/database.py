"""``lexiclass-worker db ...``."""

import asyncio

import typer

from lexiclass_worker.cli.connections import open_engine
from lexiclass_worker.cli.output import AsJson, print_fields, print_json
from lexiclass_worker.config import load_settings

app = typer.Typer(help="The database's tables.", no_args_is_help=True)


@app.command("upgrade")
def upgrade_command(as_json: AsJson = False) -> None:
    """Bring the tables to the newest version; nothing happens if they are there."""
    before, after = asyncio.run(_upgrade())
    fields = {"before": before, "now": after}
    print_json(fields) if as_json else print_fields(fields)


@app.command("current")
def current(as_json: AsJson = False) -> None:
    """Show which version the tables have."""
    from lexiclass_core.db.migrate import head_revision

    fields = {"database": asyncio.run(_current()), "newest": head_revision()}
    print_json(fields) if as_json else print_fields(fields)


async def _upgrade() -> tuple[str | None, str | None]:
    from lexiclass_core.db.migrate import current_revision, upgrade

    async with open_engine(load_settings()) as engine:
        before = await current_revision(engine)
        await upgrade(engine)
        return before, await current_revision(engine)


async def _current() -> str | None:
    from lexiclass_core.db.migrate import current_revision

    async with open_engine(load_settings()) as engine:
        return await current_revision(engine)
