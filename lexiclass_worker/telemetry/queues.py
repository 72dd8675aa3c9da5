"""Queue lengths and ages, read from Redis at scrape time, each key by its name."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from lexiclass_core.addresses.redis_clients import open_redis
from lexiclass_core.queue_config import QueueName
from lexiclass_core.queueing.redis_keys import QueueKeys, heartbeats
from lexiclass_worker.setting_groups import DramatiqSettings

_TIMEOUT_S: Final = 2.0

# That were heard of last; the names of others may be anybody's.
_MOST_WORKERS: Final = 1_000


def connect(url: str) -> "Redis":
    """A client that says within about 2 seconds that Redis is not there.

    Raises:
        InvalidAddress: If the URL is not one of Redis.
    """
    return open_redis(
        url,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """A queue at one moment.

    Attributes:
        ready: Messages that wait for a worker.
        in_progress: Messages that a worker fetched and has not acknowledged.
        delayed: Messages that are not due yet, retries among them.
        dead: Dead letters.
        oldest_age_s: Seconds since the oldest ready message was first sent; 0 when none is ready.
    """

    ready: int
    in_progress: int
    delayed: int
    dead: int
    oldest_age_s: float


class QueueSource:
    """``lexiclass_queue_messages`` and ``lexiclass_queue_oldest_message_age_seconds``."""

    name = "redis"

    def __init__(
        self, settings: DramatiqSettings, *, queues: Sequence[str] = tuple(QueueName)
    ) -> None:
        self._client = connect(settings.broker_url.get_secret_value())
        self._namespace = settings.namespace
        self._keys = {queue: QueueKeys(settings.namespace, queue) for queue in queues}
        self._most_bytes = settings.message_bytes

    def read(self) -> list[Metric]:
        """The series of every queue.

        Raises:
            RedisError: Redis does not answer.
        """
        messages = GaugeMetricFamily(
            "lexiclass_queue_messages", "Messages in a queue.", labels=["queue", "state"]
        )
        ages = GaugeMetricFamily(
            "lexiclass_queue_oldest_message_age_seconds",
            "Seconds since the oldest message that waits for a worker was sent.",
            labels=["queue"],
        )
        for queue, state in self.read_states().items():
            for name in ("ready", "in_progress", "delayed", "dead"):
                messages.add_metric([queue, name], getattr(state, name))
            ages.add_metric([queue], state.oldest_age_s)
        return [messages, ages]

    def read_states(self) -> dict[str, QueueState]:
        """Every queue's state, in three round trips.

        Raises:
            RedisError: Redis does not answer.
        """
        pipeline = self._client.pipeline()
        pipeline.zrevrange(heartbeats(self._namespace), 0, _MOST_WORKERS - 1)
        for names in self._keys.values():
            pipeline.llen(names.name)
            pipeline.lindex(names.name, 0)
            pipeline.lindex(names.name, -1)
            pipeline.hlen(names.delayed.messages)
            pipeline.zcard(names.dead)
        workers, *answers = pipeline.execute()
        heads = {
            queue: tuple(answers[5 * position : 5 * position + 5])
            for position, queue in enumerate(self._keys)
        }
        details = self._read_details(workers, heads)
        return {
            queue: QueueState(
                ready=ready,
                in_progress=details[queue][0],
                delayed=delayed,
                dead=dead,
                oldest_age_s=details[queue][1],
            )
            for queue, (ready, _, _, delayed, dead) in heads.items()
        }

    def _read_details(
        self, workers: list[bytes], heads: dict[str, tuple[Any, ...]]
    ) -> dict[str, tuple[int, float]]:
        """For each queue, how many messages are in progress, and the oldest's age."""
        ends = self._ends(heads)
        pipeline = self._client.pipeline(transaction=False)
        for queue in heads:
            names = self._keys[queue]
            pipeline.hmget(names.messages, [*ends[queue], b""])
            for worker in workers:
                pipeline.scard(names.acks(worker))
        answers = iter(pipeline.execute())
        now_s = time.time()
        details = {}
        for queue in heads:
            bodies = next(answers)
            in_progress = sum(next(answers) for _ in workers)
            details[queue] = (in_progress, _oldest_age_s(bodies, now_s))
        return details

    def _ends(self, heads: Mapping[str, tuple[Any, ...]]) -> dict[str, list[bytes]]:
        """The first and the last message of each queue, but for those that are no messages.

        A list grows at its end, but what a dead worker held is put back there too: the oldest
        message is mostly the first, and else the last.
        """
        keys = {queue: [key for key in ends[1:3] if key] for queue, ends in heads.items()}
        pipeline = self._client.pipeline(transaction=False)
        for queue, named in keys.items():
            for key in named:
                pipeline.hstrlen(self._keys[queue].messages, key)
        sizes = iter(pipeline.execute())
        return {
            queue: [key for key in named if next(sizes) <= self._most_bytes]
            for queue, named in keys.items()
        }


def _oldest_age_s(bodies: Iterable[bytes | None], now_s: float) -> float:
    sent = [_sent_at_s(body) for body in bodies if body is not None]
    # The clocks of two machines differ: a message from the future is new.
    return max((now_s - at_s for at_s in sent if at_s is not None and at_s < now_s), default=0.0)


def _sent_at_s(body: bytes) -> float | None:
    try:
        return float(json.loads(body)["message_timestamp"]) / 1000
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        # Somebody put in what is no message; the consumer deals with it and says so.
        return None
