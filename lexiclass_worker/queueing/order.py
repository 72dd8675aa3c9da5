"""The order in which the messages of a queue are taken, whatever order they were sent in.

Dramatiq's keys stay as they are: the queue is the list of its messages' keys, and any producer puts
new ones at its end. Beside the list there is an index of it, a sorted set: by priority, and within
one by the time of sending; of a delay queue, by the time when a message is due. It is brought up to
date when messages are taken, so that nobody who sends has to know of it; what is in it and not in
the list has been taken by others and is dropped. Without the index, or after somebody removed it,
it is made anew from the list. What is no message becomes a dead letter when it is first seen, so
that any number of such entries takes nobody's turn.
"""

import json
import math
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from importlib.resources import files
from typing import Any, Final, NamedTuple

from loguru import logger
from redis import Redis

from lexiclass_core.numbers import LARGEST_ID
from lexiclass_core.queue_config import priority_of
from lexiclass_core.queueing.entries import EntryRules, RefusedMessage
from lexiclass_core.queueing.redis_keys import QueueKeys

# A script stops all of Redis: of a long queue that nobody has looked at before, it looks at so many
# entries at a time, and hands over so many bytes.
_PIECE: Final = 1_000
_PIECE_BYTES: Final = 2**20

# Larger messages are fetched by a command of their own, which copies them less often.
_LARGE_BYTES: Final = 2**16

_SCRIPT: Final = files(__package__).joinpath("take.lua").read_text(encoding="utf-8")


class Taken(NamedTuple):
    """A message that is now in this worker's hands.

    Attributes:
        key: What Redis calls it.
        entry: The message as it was sent, or whatever somebody put there; None for one that is
            larger than a message may be.
        group: Which other messages it shares a limit with; None for no limit.
    """

    key: bytes
    entry: bytes | None
    group: str | None


class QueueOrder:
    """Takes messages in order. Every method raises RedisError when Redis does not answer.

    Args:
        priorities: Priority of messages that have none of their own, by actor; lower goes first.
        limited: Actors whose messages make a group for each project.
    """

    def __init__(
        self,
        client: Redis,
        namespace: str,
        *,
        rules: EntryRules,
        priorities: Mapping[str, int],
        limited: Collection[str],
    ) -> None:
        self._client = client
        self._script = client.register_script(_SCRIPT)
        self._namespace = namespace
        self._rules = rules
        self._priorities = priorities
        self._limited = limited

    def take(
        self, queue: str, worker: str, *, most: int, full: Collection[str] = ()
    ) -> list[Taken]:
        """Take the first messages of a queue, as a worker of Dramatiq does with ``fetch``.

        ``worker`` is the broker's id, in whose name they are taken: ``most`` of them, and one of
        each group; with 0, what is new is looked at. Messages of ``full`` groups, which have
        reached their limit, stay where they are.
        """
        return self._take(queue, worker, most=most, full=full, due_ms=None)

    def take_due(self, queue: str, worker: str, *, most: int) -> list[Taken]:
        """Take the messages of a delay queue whose time has come, the earliest first."""
        return self._take(queue, worker, most=most, full=(), due_ms=int(time.time() * 1000))

    def _take(
        self, queue: str, worker: str, *, most: int, full: Collection[str], due_ms: int | None
    ) -> list[Taken]:
        names = QueueKeys(self._namespace, queue)
        keys: list[str | bytes] = [
            names.name, names.messages, names.acks(worker), names.heartbeats, names.dead,
            names.dead_messages, names.turns, names.places, names.groups, names.twice,
        ]  # fmt: skip
        blocked = json.dumps(dict.fromkeys(full, 1))
        offset, described = 0, list[Any]()
        while True:
            answer: list[Any] = self._script(
                keys=keys,
                args=[
                    worker, int(time.time() * 1000), most, offset, _PIECE, _PIECE_BYTES,
                    _LARGE_BYTES, self._rules.most_bytes, STEP, "" if due_ms is None else due_ms,
                    blocked, *described,
                ],
            )  # fmt: skip
            offset, *found = answer
            if offset < 0:
                triples = zip(found[::3], found[1::3], found[2::3], strict=True)
                return [
                    Taken(key, self._whole(names, key, entry), group.decode() or None)
                    for key, entry, group in triples
                ]
            pairs = zip(found[::2], found[1::2], strict=True)
            described = self._describe(names, pairs, is_delayed=due_ms is not None)

    def _describe(
        self, names: QueueKeys, pairs: Iterator[tuple[bytes, bytes]], *, is_delayed: bool
    ) -> list[bytes | int | str]:
        """Key, place and group of messages that are new, one after the other."""
        described: list[bytes | int | str] = []
        refused = Counter[str]()
        for key, entry in pairs:
            try:
                message = self._rules.read(
                    self._whole(names, key, entry), queue=names.queue, key=key
                )
            except RefusedMessage as refusal:
                refused[str(refusal)] += 1
                described += (key, "", "")
                continue
            if is_delayed:
                described += (key, due_score(message), "")
            else:
                described += (key, *turn_score(message, self._priorities, self._limited))
        for reason, count in refused.items():
            # Without what they hold, which anybody may write: `dead-letters` shows them.
            logger.error(
                "Made entries of queue {queue} dead letters: {reason}",
                queue=names.queue,
                reason=reason,
                count=count,
            )
        return described

    def _whole(self, names: QueueKeys, key: bytes, entry: bytes) -> bytes | None:
        if entry:
            return entry
        size: Any = self._client.hstrlen(names.messages, key)
        if size > self._rules.most_bytes:
            return None
        fetched: Any = self._client.hget(names.messages, key)
        return fetched or b""


STEP: Final = 2**42
"""Places of one priority: milliseconds, above any time of sending until the year 2109. Times 1,000
it is still exact in the floating point numbers that Redis sorts by."""

_LATEST_MS: Final = 2**53


def turn_score(
    message: Mapping[str, Any], priorities: Mapping[str, int], limited: Collection[str]
) -> tuple[int, str]:
    """The place of a message in a queue, and the group with which it shares a limit, or "".

    ``priorities`` are those of messages that have none of their own, by actor; lower goes first.
    Messages of ``limited`` actors make a group for each project.
    """
    actor = message["actor_name"]
    own = priority_of(message["options"].get("priority"))
    priority = priorities.get(actor, 0) if own is None else own
    sent = _whole(message["message_timestamp"], 0, STEP - 1) or 0
    project = message["kwargs"].get("project_id")
    is_limited = actor in limited and type(project) is int and 0 <= project <= LARGEST_ID
    return priority * STEP + sent, f"{actor}/{project}" if is_limited else ""


def due_score(message: Mapping[str, Any]) -> int:
    """The place of a message in a delay queue: when it is due, in ms since 1970."""
    return _whole(message["options"].get("eta"), 0, _LATEST_MS) or 0


def _whole(value: Any, low: int, high: int) -> int | None:
    if type(value) is float and math.isinf(value):
        return high if value > 0 else low
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return math.floor(max(low, min(high, value)))
    return None
