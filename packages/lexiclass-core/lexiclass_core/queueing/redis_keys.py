"""The keys of a queue in Redis: Dramatiq's, which any producer may write to, and ours beside them.

Dramatiq's are those of ``dramatiq/brokers/redis/dispatch.lua``. Ours are an index of the queue that
can be made anew from them at any time; see :mod:`lexiclass_worker.queueing.order`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

DELAYED: Final = ".DQ"
"""What the name of a delay queue ends with."""


def heartbeats(namespace: str) -> str:
    """The sorted set of workers by when they were heard of, one for all queues."""
    return f"{namespace}:__heartbeats__"


@dataclass(frozen=True, slots=True)
class QueueKeys:
    """Names of the keys of one queue, or of its delay queue.

    Attributes:
        queue: The queue; of messages that are not due yet, with ``.DQ``.
    """

    namespace: str
    queue: str

    @property
    def delayed(self) -> Self:
        """The keys of the delay queue of a queue."""
        return replace(self, queue=f"{self.queue}{DELAYED}")

    @property
    def name(self) -> str:
        """The list of the keys of messages."""
        return f"{self.namespace}:{self.queue}"

    @property
    def messages(self) -> str:
        """The hash of messages by key."""
        return f"{self.name}.msgs"

    @property
    def acks_prefix(self) -> str:
        """What the names of all sets of fetched keys begin with, before that of the worker."""
        return f"{self.namespace}:__acks__."

    def acks(self, worker: str | bytes) -> bytes:
        """The set of keys that a worker has fetched and not acknowledged.

        Bytes, for the names of workers are what somebody has put there.
        """
        name = worker.encode() if isinstance(worker, str) else worker
        return b"%s%s.%s" % (self.acks_prefix.encode(), name, self.queue.encode())

    @property
    def heartbeats(self) -> str:
        """The sorted set of workers by when they were heard of, one for all queues."""
        return heartbeats(self.namespace)

    @property
    def dead(self) -> str:
        """The sorted set of the keys of dead letters, one for a queue and its delay queue."""
        return f"{self.namespace}:{self.queue.removesuffix(DELAYED)}.XQ"

    @property
    def dead_messages(self) -> str:
        """The hash of dead letters by key."""
        return f"{self.dead}.msgs"

    @property
    def turns(self) -> str:
        """Ours: the order of messages and of groups, by place."""
        return f"{self.name}.turns"

    @property
    def places(self) -> str:
        """Ours: which keys are in the order, and where."""
        return f"{self.name}.places"

    @property
    def groups(self) -> str:
        """Ours: the order of messages within their groups."""
        return f"{self.name}.groups"

    @property
    def twice(self) -> str:
        """Ours: how many entries of the list name a key that another one names as well."""
        return f"{self.name}.twice"

    @property
    def index(self) -> tuple[str, ...]:
        """All that are ours."""
        return (self.turns, self.places, self.groups, self.twice)

    @property
    def types(self) -> Mapping[str, str]:
        """What Redis holds under each key, if anything; not of what workers have fetched."""
        return {
            self.name: "list",
            self.messages: "hash",
            self.heartbeats: "zset",
            self.dead: "zset",
            self.dead_messages: "hash",
            self.turns: "zset",
            self.places: "hash",
            self.groups: "zset",
            self.twice: "string",
        }
