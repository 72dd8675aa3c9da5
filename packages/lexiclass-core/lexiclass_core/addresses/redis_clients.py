"""Clients of a Redis. Needs the ``client`` extra.

A server that answers that it is a read-only replica was the master until a moment ago, or is what a
name led to then: its connection is closed, so that the next one is made to whoever is the master
now.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis
import redis.asyncio as redis_asyncio
from redis.asyncio import sentinel as asyncio_sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from lexiclass_core.addresses.redis import RedisAddress

# Which of some Sentinels answered last, by host and port: a client that begins with one whose
# machine is gone waits for it each time.
_answered: Final[dict[tuple[tuple[str, int], ...], tuple[str, int]]] = {}

_SENTINEL_PORT: Final = 26_379
_SENTINEL_TIMEOUT_S: Final = 2.0
_OF_REPLICAS: Final = (redis.exceptions.ReadOnlyError, redis.exceptions.MasterDownError)
_KINDS: Final[Mapping[str, type[redis.ResponseError]]] = {
    "READONLY": redis.exceptions.ReadOnlyError,
    "MASTERDOWN": redis.exceptions.MasterDownError,
    "OOM": redis.exceptions.OutOfMemoryError,
    "NOPERM": redis.exceptions.NoPermissionError,
}
_IN_SCRIPT: Final = re.compile(
    r"Error running script .*?: -(?P<code>[A-Z]+) (?P<words>.*)", re.DOTALL
)


def open_redis(url: str, **options: Any) -> "redis.Redis":
    """A client; it connects when it is first used.

    Args:
        url: See :class:`~lexiclass_core.addresses.redis.RedisAddress`.
        **options: Timeouts and retries, as for ``redis.Redis``.

    Raises:
        InvalidAddress: If the URL is not one of Redis.
    """
    address = RedisAddress.parse(url)
    options = {**address.options, **options}
    kind = _connection_class(address, _LeavesReplicas, redis)
    if address.service is None:
        return redis.Redis.from_pool(redis.ConnectionPool(connection_class=kind, **options))
    # One that does not answer is not asked again: the next one is.
    sentinel: Any = _Sentinels(
        _places(address),
        sentinel_kwargs={**_sentinel_options(address), "retry": Retry(NoBackoff(), 0)},
    )
    client: redis.Redis = sentinel.master_for(
        address.service, redis_class=_OfSentinels, connection_class=kind, **options
    )
    return client


def open_async_redis(url: str, **options: Any) -> Any:
    """The same for asyncio. Its annotations do not tell a client that decodes from another."""
    address = RedisAddress.parse(url)
    options = {**address.options, **options}
    kind = _connection_class(address, _AsyncLeavesReplicas, redis_asyncio)
    if address.service is None:
        pool = redis_asyncio.ConnectionPool(connection_class=kind, **options)
        return redis_asyncio.Redis.from_pool(pool)
    sentinel: Any = _AsyncSentinels(
        _places(address),
        sentinel_kwargs={**_sentinel_options(address), "retry": AsyncRetry(NoBackoff(), 0)},
    )
    return sentinel.master_for(
        address.service, redis_class=_AsyncOfSentinels, connection_class=kind, **options
    )


def _connection_class(address: RedisAddress, leaves: type, of: Any) -> Any:
    """The class of an address's connections, of redis or redis.asyncio, that leaves replicas."""
    if address.service is not None:
        module = of.sentinel
        plain, encrypted = module.SentinelManagedConnection, module.SentinelManagedSSLConnection
    else:
        plain, encrypted = of.Connection, of.SSLConnection
    kind = encrypted if address.is_encrypted else plain
    if "path" in address.options:
        kind = of.UnixDomainSocketConnection
    return type(kind.__name__, (leaves, kind), {})


def _sentinel_options(address: RedisAddress) -> dict[str, Any]:
    return {
        **address.sentinel_options,
        "socket_timeout": _SENTINEL_TIMEOUT_S,
        "socket_connect_timeout": _SENTINEL_TIMEOUT_S,
        **({"ssl": True} if address.is_encrypted else {}),
    }


def _unwrapped(error: redis.ResponseError) -> redis.ResponseError:
    """What a script was refused for: before version 7 the script's name and line come first."""
    inner = _IN_SCRIPT.match(str(error))
    if inner is None:
        return error
    return _KINDS.get(inner["code"], redis.ResponseError)(inner["words"])


def _places(address: RedisAddress) -> tuple[tuple[str, int], ...]:
    return tuple((host.name, host.port or _SENTINEL_PORT) for host in address.hosts)


def _best_first(places: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
    """A sort keeps the order of all others."""
    return sorted(places, key=lambda place: place != _answered.get(places))


def _note_first(places: tuple[tuple[str, int], ...], sentinels: Sequence[Any]) -> None:
    """Remember who has answered, whom redis-py puts first."""
    known = sentinels[0].connection_pool.connection_kwargs
    _answered[places] = known["host"], known["port"]


class _Sentinels(redis.Sentinel):
    def __init__(self, places: tuple[tuple[str, int], ...], **options: Any) -> None:
        super().__init__(_best_first(places), **options)  # type: ignore[no-untyped-call]
        self._places = places

    def discover_master(self, service_name: str) -> Any:
        found = super().discover_master(service_name)  # type: ignore[no-untyped-call]
        _note_first(self._places, self.sentinels)
        return found


class _AsyncSentinels(asyncio_sentinel.Sentinel):
    def __init__(self, places: tuple[tuple[str, int], ...], **options: Any) -> None:
        super().__init__(_best_first(places), **options)  # type: ignore[no-untyped-call]
        self._places = places

    async def discover_master(self, service_name: str) -> Any:
        found = await super().discover_master(service_name)
        _note_first(self._places, self.sentinels)
        return found


class _OfSentinels(redis.Redis):
    def close(self) -> None:
        """Close the connections, those to the Sentinels too."""
        super().close()
        pool: Any = self.connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            sentinel.close()


class _AsyncOfSentinels(redis_asyncio.Redis):
    async def aclose(self, *arguments: Any, **options: Any) -> None:
        """Close the connections, those to the Sentinels too."""
        await super().aclose(*arguments, **options)
        pool: Any = self.connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


class _LeavesReplicas:
    """Connects anew for the next command; those of a pipeline have their answers still to come."""

    _is_replicas = False

    def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return super().read_response(*arguments, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            unwrapped = _unwrapped(error)
            self._is_replicas = self._is_replicas or isinstance(unwrapped, _OF_REPLICAS)
            raise unwrapped from None

    def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        if self._is_replicas:
            self._is_replicas = False
            self.disconnect()  # type: ignore[attr-defined]
        super().send_packed_command(*arguments, **options)  # type: ignore[misc]


class _AsyncLeavesReplicas:
    _is_replicas = False

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            unwrapped = _unwrapped(error)
            self._is_replicas = self._is_replicas or isinstance(unwrapped, _OF_REPLICAS)
            raise unwrapped from None

    async def send_packed_command(self, *arguments: Any, **options: Any) -> None:
        if self._is_replicas:
            self._is_replicas = False
            await self.disconnect()  # type: ignore[attr-defined]
        await super().send_packed_command(*arguments, **options)  # type: ignore[misc]
