"""Messages in Redis: which of them a worker will get, and which were given up.

Hashes are scanned in pieces and each key is asked for by name: KEYS would stop the server.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from lexiclass_core.queueing.entries import has_too_many_values
from lexiclass_core.queueing.redis_keys import QueueKeys

if TYPE_CHECKING:
    from redis import Redis

_PIECE: Final = 1_000

# Of a hash with what they hold: each may have megabytes.
_PIECE_OF_ENTRIES: Final = 50

# Near the end of Python's calendar.
_LATEST_MS: Final = 250_000_000_000_000.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A message that was given up.

    Attributes:
        raw_key: What Redis calls it.
        fields: Of the message; none if the entry is no message.
    """

    raw_key: bytes
    queue: str
    died_at: datetime
    fields: dict[str, Any]
    entry: bytes

    @property
    def key(self) -> str:
        """What people call it."""
        return self.raw_key.decode(errors="backslashreplace")

    @property
    def message_id(self) -> str | None:
        """Its task's; None if the entry is no message."""
        return self.fields.get("message_id")


class MessageStore:
    """What Redis holds for the workers. Every method raises RedisError when it does not answer.

    Args:
        client: A client that does not decode.
    """

    def __init__(self, client: "Redis", namespace: str) -> None:
        # Its annotations do not tell a client that decodes from one that does not.
        self._client: Any = client
        self._namespace = namespace

    def find(self, queues: Collection[str], wanted: Collection[str]) -> set[str]:
        """Those of some message ids that a worker has or will get.

        Messages move while this looks. One that comes due goes from the delay queue to its queue,
        and is seen in one of them, for they are looked at in this order. One that is sent back
        goes the other way and may be missed. If it is tried again, its row has changed meanwhile,
        which tells; if it could not start, nothing tells, and a message too many does no harm.
        """
        ids = frozenset(wanted)
        found: set[str] = set()
        for queue in queues:
            names = QueueKeys(self._namespace, queue)
            for each in (names.delayed, names):
                entries = self._entries(each.messages, ids)
                if entries:
                    deliverable = self._deliverable(each)
                    found.update(id_ for key, id_ in entries.items() if key in deliverable)
        return found

    def find_dead(self, queues: Collection[str], wanted: Collection[str]) -> list[DeadLetter]:
        """The dead letters with some message ids."""
        ids = frozenset(wanted)
        found: list[DeadLetter] = []
        for queue in queues:
            if ids and self._entries(QueueKeys(self._namespace, queue).dead_messages, ids):
                found += [letter for letter in self.dead_letters(queue) if letter.message_id in ids]
        return found

    def dead_letters(self, queue: str) -> Iterator[DeadLetter]:
        """The dead letters of a queue, the newest first; one entry is read at a time.

        One that is added meanwhile is left out, and one that is removed moves others up: these may
        be left out, too.
        """
        names = QueueKeys(self._namespace, queue)
        seen: set[bytes] = set()
        start = 0
        while page := self._client.zrange(
            names.dead, start, start + _PIECE - 1, desc=True, withscores=True
        ):
            start += len(page)
            for key, score in page:
                if key in seen:
                    continue
                seen.add(key)
                entry = self._client.hget(names.dead_messages, key)
                if entry is not None:
                    yield DeadLetter(
                        raw_key=key,
                        queue=queue,
                        died_at=_moment(score),
                        fields=_fields(entry),
                        entry=entry,
                    )

    def remove_dead_letter(self, letter: DeadLetter) -> bool:
        """Remove a dead letter. Returns whether it was still there."""
        names = QueueKeys(self._namespace, letter.queue)
        pipeline = self._client.pipeline()
        pipeline.zrem(names.dead, letter.raw_key)
        pipeline.hdel(names.dead_messages, letter.raw_key)
        return bool(pipeline.execute()[1])

    def _entries(self, messages: str, ids: Collection[str]) -> dict[bytes, str]:
        """Keys and message ids of a hash, of those that are wanted."""
        scan = self._client.hscan_iter(messages, count=_PIECE_OF_ENTRIES)
        entries = ((key, _fields(entry).get("message_id")) for key, entry in scan)
        return {key: id_ for key, id_ in entries if id_ is not None and id_ in ids}

    def _deliverable(self, names: QueueKeys) -> set[bytes]:
        """Keys that wait in a queue, or that a worker has fetched from it, at one moment.

        What a dead worker has fetched goes back to the queue, as long as its name is known.
        """
        workers = self._client.zrange(names.heartbeats, 0, -1)
        pipeline = self._client.pipeline()
        pipeline.lrange(names.name, 0, -1)
        for worker in workers:
            pipeline.smembers(names.acks(worker))
        return set().union(*pipeline.execute())


def _moment(score_ms: float) -> datetime:
    """When somebody says that it was, as far as that is in the calendar."""
    return _EPOCH + timedelta(milliseconds=max(0.0, min(_LATEST_MS, score_ms)))


def _fields(entry: bytes) -> dict[str, Any]:
    """A message's fields; none if it has no id."""
    if has_too_many_values(entry):
        return {}
    try:
        fields: Any = json.loads(entry)
    except (ValueError, RecursionError):
        # Somebody put in what is no message; the consumer deals with it and says so.
        return {}
    has_id = isinstance(fields, dict) and isinstance(fields.get("message_id"), str)
    return fields if has_id else {}
