"""The broker: Redis, with consumers that take messages in order, and hooks that end a boot."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import dramatiq
from dramatiq import Message
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Middleware
from loguru import logger
from redis import RedisError

from lexiclass_core.addresses.redis_clients import open_redis
from lexiclass_core.client.errors import BrokerUnavailable
from lexiclass_core.client.messages import signed, to_message
from lexiclass_core.db.schema import UnusableTables
from lexiclass_core.envelope import Envelope
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queueing.entries import EntryRules
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.errors import WorkerError
from lexiclass_worker.queueing.admission import AdmissionControl
from lexiclass_worker.queueing.consumer import OrderedConsumer
from lexiclass_worker.queueing.fetcher import Fetcher
from lexiclass_worker.queueing.order import QueueOrder
from lexiclass_worker.queueing.thread_slots import ThreadSlots
from lexiclass_worker.queueing.upkeep import QueueUpkeep
from lexiclass_worker.setting_groups import DramatiqSettings

# Out of a million commands: none, for Dramatiq's maintenance looks through all keys of Redis. The
# consumers do their own; see lexiclass_worker.queueing.upkeep.
_MAINTENANCE_CHANCE: Final = 0


class OrderedBroker(RedisBroker):
    """A Redis broker whose consumers take what can begin now, in order."""

    def __init__(
        self,
        settings: DramatiqSettings,
        *,
        middleware: list[Middleware],
        slots: ThreadSlots,
        admission: AdmissionControl,
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            client=open_redis(settings.broker_url.get_secret_value()),
            namespace=settings.namespace,
            middleware=middleware,
            heartbeat_timeout=settings.heartbeat_timeout_ms,
            maintenance_chance=_MAINTENANCE_CHANCE,
        )
        self._signer = settings.signer
        self._rules = EntryRules(
            queue_of=self._queue_of, signer=settings.signer, most_bytes=settings.message_bytes
        )
        self._upkeep = QueueUpkeep(
            self.client,
            settings.namespace,
            most_dead=settings.dead_letters,
            most_dead_bytes=settings.dead_letter_bytes,
            heartbeat_timeout_ms=settings.heartbeat_timeout_ms,
        )
        self._fetcher = Fetcher(
            slots=slots,
            admission=admission,
            order=QueueOrder(
                self.client,
                settings.namespace,
                rules=self._rules,
                priorities={name: each.priority for name, each in OPERATIONS.items()},
                limited=admission.limits,
            ),
            worker=self.broker_id,
        )

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> OrderedConsumer:
        """A consumer that takes what can begin now, in order."""
        return OrderedConsumer(
            self,
            queue_name,
            prefetch,
            timeout,
            fetcher=self._fetcher,
            rules=self._rules,
            upkeep=self._upkeep,
        )

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Put a message on its queue, signed where messages are: also one that comes back."""
        if self._signer is not None:
            message = signed(message, self._signer)
        return super().enqueue(message, delay=delay)

    def _queue_of(self, actor: str) -> str | None:
        declared = self.actors.get(actor)
        return None if declared is None else declared.queue_name

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Run the hooks before something; see :mod:`lexiclass_worker.queueing.broker`."""
        if signal not in BOOT_SIGNALS:
            super().emit_before(signal, *args, **kwargs)
            return
        self._boot([getattr(each, f"before_{signal}") for each in self.middleware], *args)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Run the hooks after something; see :mod:`lexiclass_worker.queueing.broker`."""
        if signal not in BOOT_SIGNALS:
            super().emit_after(signal, *args, **kwargs)
            return
        self._boot([getattr(each, f"after_{signal}") for each in reversed(self.middleware)], *args)

    def _boot(self, hooks: Sequence[Callable[..., None]], *args: Any) -> None:
        try:
            for hook in hooks:
                run_boot_hook(hook, self, *args)
        except SystemExit:
            if get_event_loop_thread() is not None:
                # Whatever has begun is ended in order, the last of it the event loop's thread: it
                # would keep the process, for nobody else stops it.
                super().emit_after("worker_shutdown", *args)
            raise

    def send(self, envelopes: Sequence[Envelope]) -> None:
        """Put messages on their queues, as one group.

        The group has no completion callback: Dramatiq counts those down in Redis, where the count
        can be lost. That all chunks are final is what their rows say; see
        :mod:`lexiclass_core.tasks.chunks`.

        Raises:
            BrokerUnavailable: If Redis did not take them all.
        """
        messages = [to_message(envelope) for envelope in envelopes]
        try:
            dramatiq.group(messages, broker=self).run()
        except RedisError as error:
            raise BrokerUnavailable(
                f"Redis did not take the messages: {cause_of(error)}"
            ) from error


BOOT_SIGNALS: Final = frozenset({"process_boot", "worker_boot"})
"""What Dramatiq calls the moments of a boot."""

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def run_boot_hook(hook: Callable[..., None], *args: Any) -> None:
    """Run a hook; Dramatiq would log what it fails with, and take messages that it cannot do.

    The group ends with its process, under the same exit status.

    Raises:
        SystemExit: If it fails, once the log says why.
    """
    try:
        hook(*args)
    except ConfigurationError as error:
        logger.critical("The worker cannot start: {error}", error=str(error))
        raise SystemExit(EXIT_USAGE) from error
    except (WorkerError, UnusableTables, OSError) as error:
        logger.critical("The worker cannot start: {error}", error=cause_of(error))
        raise SystemExit(EXIT_FAILED) from error
    except Exception as error:
        logger.opt(exception=error).critical(
            "The worker cannot start: {error}", error=cause_of(error)
        )
        raise SystemExit(EXIT_FAILED) from error
