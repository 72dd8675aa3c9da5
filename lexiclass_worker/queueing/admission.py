"""Which messages may be taken now: not those of paused queues, nor those beyond a limit."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


def group_of(actor: str, project_id: int) -> str:
    """The name of what shares a limit: an actor's tasks on one project."""
    return f"{actor}/{project_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionSnapshot:
    """What PostgreSQL said when it was last asked.

    Attributes:
        running: How many tasks of each group hold a lease.
    """

    paused: frozenset[str] = frozenset()
    running: Mapping[str, int] = field(default_factory=dict)


class AdmissionControl:
    """Keeps messages from being taken in vain, by a snapshot some tenths of a second old.

    A message that is taken all the same is put off by the transaction that gives the lease.

    Args:
        limits: Most tasks of an actor to run at a time on one project.
    """

    def __init__(self, limits: Mapping[str, int]) -> None:
        self.limits = limits
        """The actors that have a limit, each with it."""
        self.snapshot = AdmissionSnapshot()

    def is_paused(self, queue: str) -> bool:
        """Whether nothing of a queue may be taken."""
        return queue in self.snapshot.paused

    def full_groups(self, held: Counter[str]) -> list[str]:
        """Groups that have reached their limit.

        ``held`` are those that this process has: what was taken a moment ago is not in the rows.
        """
        running = self.snapshot.running
        return [
            group
            for group in running.keys() | held.keys()
            if max(running.get(group, 0), held[group]) >= self._limit(group)
        ]

    def _limit(self, group: str) -> int:
        return self.limits[group.partition("/")[0]]
