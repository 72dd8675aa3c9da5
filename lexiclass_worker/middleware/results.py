"""Where results are kept for senders that ask Redis for them."""

from typing import Any

from dramatiq import Message
from dramatiq.results.backends import RedisBackend
from loguru import logger
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from lexiclass_worker.causes import cause_of
from lexiclass_worker.execution.outcome import MessageRefused


class NamedResults(RedisBackend):  # type: ignore[misc]
    """Keeps each result under a key that says what it is, which the patterns of an ACL can name.

    By default Dramatiq's backends look under the MD5 digest of that key. So a result is kept there
    as well, unless the user of Redis may not write there.
    """

    def __init__(self, client: Redis, namespace: str) -> None:
        super().__init__(client=client, namespace=namespace, use_namespace_prefix_keys=True)
        self._digests: RedisBackend | None = RedisBackend(client=client, namespace=namespace)

    def store_result(self, message: Message[Any], result: Any, ttl: int) -> None:
        """Keep a result for so many milliseconds."""
        self._store_both("store_result", message, result, ttl)

    def store_exception(self, message: Message[Any], exception: Exception, ttl: int) -> None:
        """Keep what a message ended with for so many milliseconds."""
        if isinstance(exception, MessageRefused):
            return
        self._store_both("store_exception", message, exception, ttl)

    def _store_both(self, how: str, message: Message[Any], value: object, ttl: int) -> None:
        """Whatever Redis refuses: the task's row has its outcome."""
        try:
            getattr(super(), how)(message, value, ttl)
            if self._digests is not None:
                self._store_by_digest(self._digests, how, message, value, ttl)
        except RedisError as error:
            logger.warning("The outcome is kept in its row only: {error}", error=cause_of(error))

    def _store_by_digest(
        self, digests: RedisBackend, how: str, message: Message[Any], value: object, ttl: int
    ) -> None:
        try:
            getattr(digests, how)(message, value, ttl)
        except NoPermissionError as error:
            self._digests = None
            logger.info(
                "Results are kept under {namespace}:* only, for senders whose backend has "
                "use_namespace_prefix_keys=True: {error}",
                namespace=self.namespace,
                error=str(error),
            )
