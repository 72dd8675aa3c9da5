"""The plugins that workers have, as they say when they start.

Whoever has no machine learning knows from here which there are, and which parameters they take:
``plugin_catalog`` holds what workers describe, and ``worker.plugins_digest`` who has what.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pydantic import Field, ValidationError
from sqlalchemy import and_, any_, func, literal, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db.values import object_of
from lexiclass_core.models import PluginCatalog, Worker
from lexiclass_core.values import Record
from lexiclass_core.workers import is_heard

PLACES: Final = ("tokenizer", "feature_extractor", "classifier")
"""The types of plugins, in the order in which a pipeline has them."""


class Plugin(Record):
    """A plugin as a worker describes it.

    Attributes:
        type: Its place in a pipeline; None of one that is installed and cannot be loaded.
        input: What it is given: ``text``, ``tokens`` or ``features``.
        output: What it gives, for people.
        takes: The kinds of rows a classifier can learn from.
        multi_label: Whether a classifier can give a document any number of classes.
        parameters: JSON schema of its parameters.
        parameter_names: Theirs, in the order of the schema, which PostgreSQL does not keep.
        missing: Distributions that it needs and that are not installed.
        install_command: What to run where something is missing.
        reason: Why it cannot be loaded.
    """

    name: str
    type: str | None
    description: str = ""
    input: str = ""
    output: str = ""
    takes: list[str] = Field(default_factory=list)
    multi_label: bool = False
    parameters: dict[str, Any] = Field(default_factory=dict)
    parameter_names: list[str] = Field(default_factory=list)
    available: bool
    missing: list[str] = Field(default_factory=list)
    install_command: str = ""
    reason: str = ""

    @property
    def properties(self) -> dict[str, Any]:
        """The schema of each parameter by its name, in the order in which they are told."""
        found = object_of(self.parameters.get("properties"))
        return {name: found[name] for name in self.parameter_names if name in found} | found


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPlugin:
    """A plugin, and who has it.

    Attributes:
        plugin: As a worker describes it where it can be used, or else where it is known.
        available_on: Names of the workers where it can be used, in order.
        missing_on: Names of those where it cannot, or is not known.
    """

    plugin: Plugin
    available_on: Sequence[str]
    missing_on: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPlugins:
    """What workers have said.

    Attributes:
        plugins: In the order of a pipeline, then by name; what cannot be loaded comes last.
        workers: Names of those who have said it and are there, in order; empty where none is:
            the plugins are those that were known last.
        seen_at: When it was last said; None if it never was.
    """

    plugins: Sequence[PublishedPlugin] = field(default_factory=list)
    workers: Sequence[str] = field(default_factory=list)
    seen_at: datetime | None = None

    def of_type(self, place: str) -> list[Plugin]:
        """Plugins of one of the :data:`PLACES` that can be used, by name."""
        return [
            each.plugin
            for each in self.plugins
            if each.plugin.type == place and each.plugin.available
        ]


async def list_plugins(session: AsyncSession, *, queue: str | None = None) -> PublishedPlugins:
    """The plugins that workers have which are heard of, or had if there are none.

    With a queue, of workers that listen to it.
    """
    listens = true() if queue is None else literal(queue) == any_(Worker.queues)
    names = func.array_agg(Worker.name).filter(Worker.name.is_not(None))
    rows = (
        await session.execute(
            select(PluginCatalog.content, PluginCatalog.seen_at, names)
            .outerjoin(
                Worker, and_(Worker.plugins_digest == PluginCatalog.digest, is_heard(), listens)
            )
            .group_by(PluginCatalog.id)
            .order_by(PluginCatalog.seen_at.desc(), PluginCatalog.id.desc())
        )
    ).all()
    if not rows:
        return PublishedPlugins()
    said = [(_plugins_in(content), list(who)) for content, _, who in rows if who]
    return PublishedPlugins(
        plugins=_together(said or [(_plugins_in(rows[0][0]), [])]),
        workers=sorted(name for _, who in said for name in who),
        seen_at=rows[0][1],
    )


def _plugins_in(content: Mapping[str, Any]) -> list[Plugin]:
    """What can be read of what a row holds."""
    found = content.get("plugins")
    plugins = []
    for each in found if isinstance(found, list) else []:
        try:
            plugins.append(Plugin.model_validate(each))
        except ValidationError:
            continue
    return plugins


def _together(said: Iterable[tuple[Sequence[Plugin], Sequence[str]]]) -> list[PublishedPlugin]:
    everybody = {name for _, who in said for name in who}
    described: dict[tuple[str | None, str], Plugin] = {}
    available: dict[tuple[str | None, str], set[str]] = {}
    for plugins, who in said:
        for plugin in plugins:
            key = plugin.type, plugin.name
            # Of several descriptions the newest one of a worker that can use it.
            if key not in described or (plugin.available and not described[key].available):
                described[key] = plugin
            available.setdefault(key, set()).update(who if plugin.available else ())
    return [
        PublishedPlugin(
            plugin=plugin,
            available_on=sorted(available[key]),
            missing_on=sorted(everybody - available[key]),
        )
        for key, plugin in sorted(described.items(), key=lambda item: _order(*item[0]))
    ]


def _order(place: str | None, name: str) -> tuple[int, str]:
    return PLACES.index(place) if place in PLACES else len(PLACES), name
