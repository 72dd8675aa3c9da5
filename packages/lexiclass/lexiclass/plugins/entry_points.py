"""Plugins that other distributions bring along.

A distribution announces them in its metadata::

    [project.entry-points."lexiclass.plugins"]
    shouting = "shouting.lexiclass:PLUGIN"

where ``PLUGIN`` is a :class:`~lexiclass.plugins.info.PluginInfo` or a sequence of them.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from lexiclass.plugins.info import PluginInfo
from lexiclass.plugins.registry import Registry

GROUP = "lexiclass.plugins"


def load_entry_points(registry: Registry) -> None:
    """Register what installed distributions announce.

    One that can't be loaded does not stand in the way of the others: it is noted in
    ``registry.broken`` with the reason.
    """
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            for info in _announced(point):
                registry.register(info)
        except Exception as error:  # noqa: BLE001 - importing foreign code can raise anything
            registry.broken[point.name] = f"{type(error).__name__}: {error}"


def _announced(point: EntryPoint) -> tuple[PluginInfo, ...]:
    loaded = point.load()
    found = (loaded,) if isinstance(loaded, PluginInfo) else tuple(loaded)
    strangers = [type(item).__name__ for item in found if not isinstance(item, PluginInfo)]
    if strangers:
        raise TypeError(f"{point.value} holds {', '.join(strangers)}, expected PluginInfo")
    return found
