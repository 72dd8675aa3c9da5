"""Whether this installation has what the sandbox loads: its libraries, and models' plugins."""

import asyncio

from lexiclass.errors import PluginNotFound, PluginUnavailable
from lexiclass.plugins.builtin import default_registry
from lexiclass.plugins.plugin_type import PluginType
from lexiclass_worker.admin.doctor.serving import find_serving
from lexiclass_worker.config import Settings
from lexiclass_worker.jobs.training import ValidateJob
from lexiclass_worker.sandbox import Sandbox
from lexiclass_worker.telemetry.checks.outcome import Look, NotLooked, NotUsable, checked, listing


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
    used: dict[tuple[PluginType, str], list[int]] = {}
    for row in await find_serving(settings):
        for plugin_type in PluginType:
            name = row.metrics.get(str(plugin_type)) if isinstance(row.metrics, dict) else None
            if isinstance(name, str):
                used.setdefault((plugin_type, name), []).append(row.field_id)
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
