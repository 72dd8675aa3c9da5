"""Keeps the keys of a queue in Redis usable and bounded, whatever others write there."""

import time
from importlib.resources import files
from typing import Any, Final

from loguru import logger
from redis import Redis

from lexiclass_core.queue_config import QueueName
from lexiclass_core.queueing.redis_keys import DELAYED, QueueKeys

_PIECE: Final = 500
_MOST_PIECES: Final = 20

# Adding up what dead letters take reads the size of each.
_WEIGH_EVERY_S: Final = 30.0

# As Dramatiq does; a worker that has fetched nothing is known for a day after it went silent.
_LETTER_TTL_MS: Final = 7 * 24 * 3600 * 1000
_FORGET_AFTER_MS: Final = 24 * 3600 * 1000

_MAINTAIN: Final = files(__package__).joinpath("maintain.lua").read_text(encoding="utf-8")
_TRIM: Final = files(__package__).joinpath("trim.lua").read_text(encoding="utf-8")


class QueueUpkeep:
    """Every method raises RedisError when Redis does not answer.

    Args:
        most_dead: Dead letters that are kept of each queue.
        most_dead_bytes: What these may take together.
        heartbeat_timeout_ms: Silence after which a worker is given up.
    """

    def __init__(
        self,
        client: Redis,
        namespace: str,
        *,
        most_dead: int,
        most_dead_bytes: int,
        heartbeat_timeout_ms: int = 15_000,
    ) -> None:
        # Its annotations do not tell a client that decodes from one that does not.
        self._client: Any = client
        self._namespace = namespace
        self._heartbeat_timeout_ms = heartbeat_timeout_ms
        self._positions: dict[str, int] = {}
        self._maintain = client.register_script(_MAINTAIN)
        self._trim = client.register_script(_TRIM)
        self._most_dead = most_dead
        self._most_dead_bytes = most_dead_bytes
        self._weigh_at: dict[str, float] = {}

    def maintain(self, queue: str, worker: str) -> None:
        """Say that a worker is there, and put back what silent ones have fetched from a queue."""
        names = QueueKeys(self._namespace, queue)
        self._positions[queue] = self._maintain(
            keys=[names.heartbeats, names.name, names.messages, names.dead, names.dead_messages],
            args=[
                worker, int(time.time() * 1000), self._heartbeat_timeout_ms, _LETTER_TTL_MS,
                names.acks_prefix, queue, self._positions.get(queue, 0), _FORGET_AFTER_MS,
                *(f"{each}{suffix}" for each in QueueName for suffix in ("", DELAYED)),
            ],
        )  # fmt: skip

    def trim_dead_letters(self, queue: str) -> None:
        """Remove the oldest dead letters beyond what is kept; what they take, from time to time."""
        names = QueueKeys(self._namespace, queue)
        now = time.monotonic()
        is_due = now >= self._weigh_at.get(queue, 0.0)
        if is_due:
            self._weigh_at[queue] = now + _WEIGH_EVERY_S
        removed = 0
        for _ in range(_MOST_PIECES):
            answer: Any = self._trim(
                keys=[names.dead, names.dead_messages],
                args=[self._most_dead, self._most_dead_bytes if is_due else "", _PIECE],
            )
            removed += answer
            if answer < _PIECE:
                break
        if removed:
            logger.warning(
                "Removed the oldest dead letters of queue {queue}: more than {most} were there, or "
                "they took more than {most_bytes} bytes",
                queue=queue,
                most=self._most_dead,
                most_bytes=self._most_dead_bytes,
                count=removed,
            )

    def look_after(self, queue: str) -> None:
        """Mend keys that hold another type than they must, which may keep others from sending."""
        types = QueueKeys(self._namespace, queue).types
        pipeline = self._client.pipeline(transaction=False)
        for key in types:
            pipeline.type(key)
        found = zip(pipeline.execute(), types.values(), strict=True)
        if any(kind not in {expected.encode(), b"none"} for kind, expected in found):
            self.heal(queue)

    def leave_out(self, queue: str, key: bytes) -> None:
        """Replace an entry that is too large to be kept by a word of it."""
        names = QueueKeys(self._namespace, queue)
        size = self._client.hstrlen(names.messages, key)
        self._client.hset(names.messages, key, f"(an entry of {size} bytes, which are not kept)")

    def heal(self, queue: str) -> None:
        """Mend the keys of a queue after Redis could not run a command on them.

        The index is removed, to be made anew. So is what holds another type than it must: nothing
        that Dramatiq or we have written is in there. Messages that no list names any more are put
        back, but for those that a worker has.
        """
        names = QueueKeys(self._namespace, queue)
        self._client.unlink(*names.index)
        types: dict[bytes, str] = {key.encode(): kind for key, kind in names.types.items()}
        if self._type(names.heartbeats) == b"zset":
            workers = self._client.zrange(names.heartbeats, 0, -1)
            types |= {names.acks(worker): "set" for worker in workers}
        broken = [
            key for key, kind in types.items() if self._type(key) not in {kind.encode(), b"none"}
        ]
        if not broken:
            return
        self._client.unlink(*broken)
        logger.error(
            "Removed keys of queue {queue} in Redis that held another type than they must: {keys}",
            queue=queue,
            keys=", ".join(sorted(key.decode(errors="backslashreplace") for key in broken)),
        )
        if names.dead.encode() in broken:
            self._list_dead_letters(names)
        if any(types[key] in {"list", "set"} for key in broken):
            self._put_back(names)

    def _type(self, key: str | bytes) -> bytes:
        found: bytes = self._client.type(key)
        return found

    def _list_dead_letters(self, names: QueueKeys) -> None:
        now = int(time.time() * 1000)
        for key, _ in self._client.hscan_iter(names.dead_messages, count=_PIECE):
            self._client.zadd(names.dead, {key: now}, nx=True)

    def _put_back(self, names: QueueKeys) -> None:
        """Put messages that are nowhere on the list; one that a worker is just done with is twice.

        That does no harm: its task is run once.
        """
        waiting = set(self._client.lrange(names.name, 0, -1))
        for worker in self._client.zrange(names.heartbeats, 0, -1):
            waiting |= self._client.smembers(names.acks(worker))
        for key, _ in self._client.hscan_iter(names.messages, count=_PIECE):
            if key not in waiting:
                self._client.rpush(names.name, key)
