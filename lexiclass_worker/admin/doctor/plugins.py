"""Whether this installation has what the sandbox loads: its libraries, and models' plugins."""

import asyncio
from typing import Final

from sqlalchemy import select

from lexiclass.errors import PluginNotFound, PluginUnavailable
from lexiclass.plugins.builtin import default_registry
from lexiclass.plugins.plugin_type import PluginType
from lexiclass_core.models import Field, Model
from lexiclass_core.versions.reading import only_serving
from lexiclass_worker.config import Settings
from lexiclass_worker.jobs.training import ValidateJob
from lexiclass_worker.sandbox import Sandbox
from lexiclass_worker.telemetry.checks.database import open_connection
from lexiclass_worker.telemetry.checks.outcome import Look, NotLooked, NotUsable, checked, listing

_MODEL: Final = Model.metadata.tables[Model.__tablename__]
_FIELD: Final = Field.metadata.tables[Field.__tablename__]
_MOST: Final = 10_000


@checked("plugins", remedy="lexiclass-worker plugins list")
def check_plugins(settings: Settings) -> Look:
    """Whether the plugins of every serving model can be imported."""
    used = asyncio.run(_find_used(settings))
    if not used:
        raise NotLooked("no model serves yet")
    looked_at = {plugin: _missing(*plugin) for plugin in used}
    missing = {plugin: what for plugin, what in looked_at.items() if what is not None}
    if not missing:
        return Look(f"those of all serving models: {', '.join(sorted({n for _, n in used}))}")
    parts = []
    for plugin, (found, _) in missing.items():
        parts.append(f"{found} (fields {listing(used[plugin])})")
    remedies = dict.fromkeys(remedy for _, remedy in missing.values())
    raise NotUsable("; ".join(parts), "; ".join(remedies))


async def _find_used(settings: Settings) -> dict[tuple[PluginType, str], list[int]]:
    """The plugins of serving models, with the fields that they serve."""
    serving = only_serving(select(_MODEL.c.id), _FIELD.c.id).correlate(_FIELD).scalar_subquery()
    of_field = _MODEL.alias("serving")
    query = (
        select(_FIELD.c.id, of_field.c.metrics)
        .where(of_field.c.field_id == _FIELD.c.id, of_field.c.id == serving)
        .order_by(_FIELD.c.id)
        .limit(_MOST)
    )
    used: dict[tuple[PluginType, str], list[int]] = {}
    async with open_connection(settings) as connection:
        for field_id, metrics in await connection.execute(query):
            for plugin_type in PluginType:
                name = metrics.get(str(plugin_type)) if isinstance(metrics, dict) else None
                if isinstance(name, str):
                    used.setdefault((plugin_type, name), []).append(field_id)
    return used


def _missing(plugin_type: PluginType, name: str) -> tuple[str, str] | None:
    """What keeps a plugin from being used, and what mends it; None if nothing does."""
    try:
        info = default_registry().get(plugin_type, name)
        info.check_available()
    except PluginUnavailable as error:
        return f"{plugin_type} {name} cannot be used: {error}", _remedy(plugin_type, name)
    except PluginNotFound:
        found = f"{plugin_type} {name} is not installed"
        return found, "install the package that it comes from, as where the models were trained"
    return None


def _remedy(plugin_type: PluginType, name: str) -> str:
    try:
        return default_registry().get(plugin_type, name).install_command
    except PluginUnavailable:
        return "lexiclass-worker plugins list"


@checked(
    "sandbox", remedy="install lexiclass-worker anew; what the libraries say is on standard error"
)
def check_sandbox(settings: Settings) -> Look:
    """What /readyz only begins with: the fork server of workers, and a job in a child of it."""
    sandbox = Sandbox.from_settings(settings, tasks=1)
    sandbox.warm_up()
    asyncio.run(sandbox.run(ValidateJob(pipeline={})))
    return Look("a child has done a job")
