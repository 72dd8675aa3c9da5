"""The settings of workers, as they say when they start; secrets are hidden before that."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Worker
from lexiclass_core.values import Record
from lexiclass_core.workers import is_heard


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSetting:
    """A setting, and what workers have it at.

    Attributes:
        default: What it is unless it is set; empty if it is nothing then.
        values: Names of workers by their value, most workers first.
    """

    variable: str
    default: str
    meaning: str
    values: Mapping[str, Sequence[str]]

    @property
    def is_changed(self) -> bool:
        """Whether any worker has another value than the default one."""
        return set(self.values) != {self.default}


class _Said(Record):
    value: str
    default: str = ""
    meaning: str = ""


async def list_settings(session: AsyncSession) -> list[WorkerSetting]:
    """The settings of the workers that are heard of, by name; none where no worker is."""
    names = func.array_agg(Worker.name)
    rows = await session.execute(
        select(Worker.settings, names).where(is_heard()).group_by(Worker.settings)
    )
    described: dict[str, _Said] = {}
    values: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for settings, workers in rows:
        for variable, said in _readable(settings).items():
            described.setdefault(variable, said)
            values[variable].setdefault(said.value, []).extend(workers)
    return [
        WorkerSetting(
            variable=variable,
            default=said.default,
            meaning=said.meaning,
            values={
                value: sorted(workers)
                for value, workers in sorted(
                    values[variable].items(), key=lambda item: (-len(item[1]), item[0])
                )
            },
        )
        for variable, said in sorted(described.items())
    ]


def _readable(settings: Mapping[str, Any]) -> dict[str, _Said]:
    """What can be read of what a row holds."""
    found = {}
    for variable, said in settings.items():
        try:
            found[variable] = _Said.model_validate(said)
        except ValidationError:
            continue
    return found
