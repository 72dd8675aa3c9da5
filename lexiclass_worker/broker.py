"""The broker: Redis, tuned for long tasks, and its middleware in the order that matters."""

from collections.abc import Callable, Sequence
from typing import Any

import dramatiq
from dramatiq import Message
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import (
    AsyncIO,
    CurrentMessage,
    Middleware,
    Pipelines,
    ShutdownNotifications,
    TimeLimit,
)
from dramatiq.results import Results
from redis import RedisError

from lexiclass_core.addresses.redis_clients import open_redis
from lexiclass_core.client.errors import BrokerUnavailable
from lexiclass_core.client.messages import signed, to_message
from lexiclass_core.envelope import Envelope
from lexiclass_core.queue_config import RESULT_TTL_S, ROUTES, ActorName
from lexiclass_worker.artifacts import KeptCopies, Storage, open_storage
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import Settings
from lexiclass_worker.consumer import OrderedConsumer
from lexiclass_worker.middleware.admission import Admission
from lexiclass_worker.middleware.boot import BOOT_SIGNALS, run_boot_hook
from lexiclass_worker.middleware.callbacks import Callbacks
from lexiclass_worker.middleware.core_dumps import NoCoreDumps
from lexiclass_worker.middleware.database import Database
from lexiclass_worker.middleware.leases import Leases
from lexiclass_worker.middleware.live_events import LiveTelling
from lexiclass_worker.middleware.log_context import LogContext
from lexiclass_worker.middleware.metrics import Metrics
from lexiclass_worker.middleware.old_copies import OldCopies
from lexiclass_worker.middleware.reconciliation import Reconciliation
from lexiclass_worker.middleware.registration import Registration
from lexiclass_worker.middleware.results import NamedResults
from lexiclass_worker.middleware.retries import Retries
from lexiclass_worker.middleware.sandbox import WarmSandbox
from lexiclass_worker.middleware.stored_files import StoredFiles
from lexiclass_worker.middleware.termination import Termination
from lexiclass_worker.middleware.tuning import Tuning
from lexiclass_worker.repositories.entries import EntryRules
from lexiclass_worker.repositories.queue_order import QueueOrder
from lexiclass_worker.repositories.queue_upkeep import QueueUpkeep
from lexiclass_worker.tasks.delivery import Runtime
from lexiclass_worker.tasks.dispatch import Dispatch
from lexiclass_worker.tasks.gate import Gate
from lexiclass_worker.tasks.lanes import Lanes
from lexiclass_worker.tasks.policy import project_limits, route_of

# A task ends itself at its limit; Dramatiq's limit is for one that does not.
_TIME_LIMIT_GRACE_S = 30
_TIME_LIMIT_INTERVAL_MS = 250

# Out of a million commands: none, for Dramatiq's maintenance looks through all keys of Redis. The
# consumers do their own; see lexiclass_worker.repositories.queue_upkeep.
_MAINTENANCE_CHANCE = 0


class WorkerBroker(RedisBroker):
    """A Redis broker that knows what its workers' tasks need.

    Args:
        settings: The worker's settings.

    Raises:
        ConfigurationError: If DATABASE_URI is not set, or the storage's protocol is not known.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        copies = KeptCopies(settings.storage)
        self._storage = open_storage(settings.storage.base_path, copies, makes_root=False)
        self._database = Database(settings)
        self._leases = Leases(settings, self._database)
        self._registration = Registration(self._database, self._leases)
        self._telling = LiveTelling(settings.dramatiq)
        lanes, gate = Lanes(), Gate(project_limits(settings))
        super().__init__(  # type: ignore[no-untyped-call]
            client=open_redis(settings.dramatiq.broker_url.get_secret_value()),
            namespace=settings.dramatiq.namespace,
            middleware=_middleware(
                settings=settings,
                storage=self._storage,
                database=self._database,
                leases=self._leases,
                registration=self._registration,
                telling=self._telling,
                lanes=lanes,
                gate=gate,
            ),
            heartbeat_timeout=settings.dramatiq.heartbeat_timeout_ms,
            maintenance_chance=_MAINTENANCE_CHANCE,
        )
        self._signer = settings.dramatiq.signer
        self._rules = EntryRules.of(settings.dramatiq, self._queue_of)
        self._upkeep = QueueUpkeep(
            self.client,
            settings.dramatiq.namespace,
            most_dead=settings.dramatiq.dead_letters,
            most_dead_bytes=settings.dramatiq.dead_letter_bytes,
            heartbeat_timeout_ms=settings.dramatiq.heartbeat_timeout_ms,
        )
        self._dispatcher = Dispatch(
            lanes=lanes,
            gate=gate,
            order=QueueOrder(
                self.client,
                settings.dramatiq.namespace,
                rules=self._rules,
                priorities={actor: route.priority for actor, route in ROUTES.items()},
                limited=gate.limited,
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
            dispatch=self._dispatcher,
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
        """Run the hooks before something; see :mod:`lexiclass_worker.middleware.boot`."""
        if signal not in BOOT_SIGNALS:
            super().emit_before(signal, *args, **kwargs)
            return
        self._boot([getattr(each, f"before_{signal}") for each in self.middleware], *args)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        """Run the hooks after something; see :mod:`lexiclass_worker.middleware.boot`."""
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

    @property
    def runtime(self) -> Runtime:
        """What tasks of this process run with.

        Raises:
            RuntimeError: Outside a booted worker.
        """
        return Runtime(
            settings=self._settings,
            sessions=self._database.sessions,
            storage=self._storage,
            leases=self._leases.keeper,
            registry=self._registration.registry,
            live=self._telling.events,
            send=self.send,
        )

    def send(self, envelopes: Sequence[Envelope]) -> None:
        """Put messages on their queues, as one group.

        The group has no completion callback: Dramatiq counts those down in Redis, where the count
        can be lost. That all chunks are final is what their rows say; see tasks.chunks.

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


def _middleware(
    *,
    settings: Settings,
    storage: Storage,
    database: Database,
    leases: Leases,
    registration: Registration,
    telling: LiveTelling,
    lanes: Lanes,
    gate: Gate,
) -> list[Middleware]:
    """Before-hooks run down this list, after-hooks run up it."""
    backend = settings.dramatiq.result_backend or settings.dramatiq.broker_url
    longest_s = max(route_of(actor, settings).time_limit_s for actor in ActorName)
    return [
        # First in, last out: every other hook logs with the message's ids.
        LogContext(settings),
        # Counts a message before anything can skip it, and after everything else is done with it.
        Metrics(settings),
        # Before anything connects with a password.
        NoCoreDumps(),
        # Before anything that boots could be interrupted.
        Termination(settings),
        # Adjusts the worker while its consumers are not yet made.
        Tuning(settings.dramatiq, lanes),
        # The two that interrupt a thread. Tasks stop themselves first: see tasks.lifecycle.
        TimeLimit(
            time_limit=round((longest_s + _TIME_LIMIT_GRACE_S) * 1000),
            interval=_TIME_LIMIT_INTERVAL_MS,
        ),
        ShutdownNotifications(notify_shutdown=True),
        # Follow-ups of a message that is done, for senders who compose messages.
        Callbacks(),
        Pipelines(),
        # Below Retries an after-hook sees the exception first, above it whether the message failed.
        Retries(),
        Results(
            # For the default namespace, the name that Dramatiq's own backends look under.
            backend=NamedResults(
                open_redis(backend.get_secret_value()), f"{settings.dramatiq.namespace}-results"
            ),
            result_ttl=RESULT_TTL_S * 1000,
        ),
        # Lets the actor's body know its message.
        CurrentMessage(),
        # The event loop comes before what lives on it, so that it is stopped after.
        AsyncIO(),
        database,
        leases,
        # Is known to others before it takes anything, and looks at the tables.
        registration,
        telling,
        # Knows what is paused before the first message is taken.
        Admission(database, gate),
        Reconciliation(settings, database, storage),
        OldCopies(settings.storage),
        StoredFiles(database, storage),
        # Last at boot: by far the slowest.
        WarmSandbox(settings),
    ]
