"""Events of running tasks in Redis; see :mod:`lexiclass_core.events`."""

import asyncio
import time
from typing import Any, Final

from loguru import logger
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from lexiclass_core.addresses.redis_clients import open_async_redis
from lexiclass_core.events import LIVE_S, TaskEvent, live_key
from lexiclass_worker.causes import cause_of

_TIMEOUT_S: Final = 1.0
_PAUSE_S: Final = 5.0


class LiveEvents:
    """Tells whoever watches; a Redis that does not listen is left alone for a while.

    Nothing here fails: watchers look at the row when they hear nothing.
    """

    def __init__(self, broker_url: str, namespace: str) -> None:
        self._redis = open_async_redis(
            broker_url,
            socket_connect_timeout=_TIMEOUT_S,
            # With one, redis-py sends by asyncio.wait_for, which until Python 3.12 loses a
            # cancellation that comes when it is done: https://github.com/python/cpython/pull/98518
            socket_timeout=None,
            # Once more, for a connection that has died in the pool.
            retry=Retry(NoBackoff(), 1),
        )
        self._namespace = namespace
        self._paused_until = 0.0
        self._soon: set[asyncio.Task[None]] = set()

    async def tell(self, event: TaskEvent) -> None:
        """Tell an event, and keep it for those who come later."""
        key, payload = live_key(self._namespace, event.task_id), event.model_dump_json()
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.set(key, payload, ex=LIVE_S)
        pipeline.publish(key, payload)
        await self._try(pipeline.execute)

    def tell_change(self, task_id: int) -> None:
        """Tell that a task's row has changed; nobody waits until it is told."""
        key = live_key(self._namespace, task_id)
        telling = asyncio.create_task(self._try(lambda: self._redis.publish(key, b"")))
        self._soon.add(telling)
        telling.add_done_callback(self._soon.discard)

    async def close(self) -> None:
        """Tell what is left to be told and close the connections."""
        if self._soon:
            await asyncio.wait(self._soon, timeout=_TIMEOUT_S)
        await self._redis.aclose()

    async def _try(self, command: Any) -> None:
        if time.monotonic() < self._paused_until:
            return
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await command()
        except (RedisError, OSError) as error:
            self._paused_until = time.monotonic() + _PAUSE_S
            logger.warning("Watchers are not told for now: {error}", error=cause_of(error))
