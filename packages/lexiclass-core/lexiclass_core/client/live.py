"""What the workers tell of running tasks, as it comes through Redis."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from pydantic import ValidationError

from lexiclass_core.events import TaskEvent, live_key

_log: Final = logging.getLogger(__name__)

_CONNECT_TIMEOUT_S: Final = 2.0
_ANSWER_TIMEOUT_S: Final = 2.0
# Each watcher has one of its own, so that a pool of redis-py's 100 had none left for others. How
# many there may be is for Redis to say.
_MOST_CONNECTIONS: Final = 2**31


class LiveFeed:
    """Events of running tasks. A Redis that cannot be reached is one that has nothing to tell.

    Raises:
        ImportError: Without the ``client`` extra.
    """

    def __init__(self, broker_url: str, namespace: str) -> None:
        from redis import ConnectionError as ConnectionLost  # noqa: PLC0415
        from redis import RedisError  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        from lexiclass_core.addresses.redis_clients import open_async_redis  # noqa: PLC0415

        self._errors = (RedisError, OSError)
        self._lost = ConnectionLost
        self._namespace = namespace
        self._redis = open_async_redis(
            broker_url,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            # With one, redis-py sends by asyncio.wait_for, which until Python 3.12 loses a
            # cancellation that comes when it is done: https://github.com/python/cpython/pull/98518
            socket_timeout=None,
            retry=Retry(NoBackoff(), 0),
            max_connections=_MOST_CONNECTIONS,
        )

    @asynccontextmanager
    async def of(self, task_id: int) -> AsyncIterator["News"]:
        """Listen to a task for the time of a ``with`` block, on a connection of its own."""
        news = News(self._redis, live_key(self._namespace, task_id), self._errors)
        try:
            await news.listen()
            yield news
        finally:
            await news.close()

    async def tell_change(self, task_id: int) -> None:
        """Tell whoever watches a task that its row has changed."""
        try:
            key = live_key(self._namespace, task_id)
            await self._ask(lambda: self._redis.publish(key, b""))
        except self._errors as error:
            # They find out when they look at the row.
            _log.debug("watchers of task %d could not be told: %s", task_id, error)

    async def latest(self, task_ids: Sequence[int]) -> dict[int, TaskEvent]:
        """What was told last of some running tasks, by id; nothing of those that told nothing."""
        if not task_ids:
            return {}
        try:
            keys = [live_key(self._namespace, each) for each in task_ids]
            told = await self._ask(lambda: self._redis.mget(keys))
        except self._errors as error:
            _log.debug("no live events for now: %s", error)
            return {}
        found: dict[int, TaskEvent] = {}
        for task_id, payload in zip(task_ids, told, strict=True):
            try:
                if payload:
                    found[task_id] = TaskEvent.model_validate_json(payload)
            except ValidationError as error:
                _log.warning("what is kept of task %d is no event: %s", task_id, error)
        return found

    async def answers(self) -> bool:
        """Whether Redis answers within two seconds."""
        try:
            await self._ask(self._redis.ping)
        except self._errors as error:
            _log.debug("Redis does not answer: %s", error)
            return False
        return True

    async def _ask(self, command: Callable[[], Any]) -> Any:
        """Ask once more where a connection has died in the pool, as when Redis was restarted."""
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            try:
                return await command()
            except self._lost:
                return await command()

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


class News:
    """What comes in about one task."""

    def __init__(self, redis: Any, key: str, errors: tuple[type[Exception], ...]) -> None:
        self._redis = redis
        self._key = key
        self._errors = errors
        self._channel: Any = None
        self._has_missed = True

    async def listen(self) -> None:
        """Begin to listen; where that fails, :meth:`next` tries it again."""
        channel = self._redis.pubsub()
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                await channel.subscribe(self._key)
                # From the answer on nothing is missed.
                await channel.get_message(timeout=_ANSWER_TIMEOUT_S)
        except self._errors as error:
            _log.debug("no live events for now: %s", error)
            await channel.aclose()
        except BaseException:
            await channel.aclose()
            raise
        else:
            self._channel, self._has_missed = channel, True

    async def next(self, timeout_s: float) -> TaskEvent | None:
        """The next event; None if it is time to look at the row, or the row has changed."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        try:
            if self._channel is None:
                await self.listen()
            if self._channel is not None and (payload := await self._receive(deadline)):
                return TaskEvent.model_validate_json(payload)
            if self._channel is not None:
                return None
        except self._errors as error:
            _log.debug("no live events for now: %s", error)
            await self.close()
        except ValidationError as error:
            _log.warning("what came through %s is no event: %s", self._key, error)
        await asyncio.sleep(max(0.0, deadline - loop.time()))
        return None

    async def close(self) -> None:
        """Stop listening; the connection is closed."""
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.aclose()

    async def _receive(self, deadline: float) -> bytes | None:
        """What was told last before this listened, then what is told; None in the end."""
        if self._has_missed:
            self._has_missed = False
            async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                payload = await self._redis.get(self._key)
            if payload:
                return bytes(payload)
        loop = asyncio.get_running_loop()
        while (left_s := deadline - loop.time()) > 0:
            message = await self._channel.get_message(timeout=left_s)
            if message is not None and message["type"] == "message":
                return bytes(message["data"])
        return None
