"""A worker process: its broker, its middleware in the order that matters, what its tasks get."""

from typing import Final

from dramatiq.middleware import (
    AsyncIO,
    CurrentMessage,
    Middleware,
    Pipelines,
    TimeLimit,
)
from dramatiq.results import Results

from lexiclass_core.addresses.redis_clients import open_redis
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queue_config import RESULT_TTL_S
from lexiclass_worker.artifacts.kept_copies import KeptCopies
from lexiclass_worker.artifacts.opening import open_storage
from lexiclass_worker.config import Settings
from lexiclass_worker.execution.delivery import Runtime
from lexiclass_worker.execution.overrides import configured, project_limits
from lexiclass_worker.middleware.admission import AdmissionRefresh
from lexiclass_worker.middleware.callbacks import Callbacks
from lexiclass_worker.middleware.core_dumps import NoCoreDumps
from lexiclass_worker.middleware.database import Database
from lexiclass_worker.middleware.leases import Leases
from lexiclass_worker.middleware.live_events import LiveEventsClient
from lexiclass_worker.middleware.log_context import LogContext
from lexiclass_worker.middleware.metrics import Metrics
from lexiclass_worker.middleware.old_copies import OldCopies
from lexiclass_worker.middleware.plugins import PluginPublication
from lexiclass_worker.middleware.reconciliation import Reconciliation
from lexiclass_worker.middleware.registration import Registration
from lexiclass_worker.middleware.results import NamedResults
from lexiclass_worker.middleware.retries import Retries
from lexiclass_worker.middleware.sandbox import WarmSandbox
from lexiclass_worker.middleware.stored_files import StoredFiles
from lexiclass_worker.middleware.termination import Interruptions, MaxTasks, Termination
from lexiclass_worker.middleware.traces import Traces
from lexiclass_worker.middleware.tuning import Tuning
from lexiclass_worker.queueing.admission import AdmissionControl
from lexiclass_worker.queueing.broker import OrderedBroker
from lexiclass_worker.queueing.thread_slots import ThreadSlots

# A task ends itself at its limit; Dramatiq's limit is for one that does not.
_TIME_LIMIT_GRACE_S: Final = 30
_TIME_LIMIT_INTERVAL_MS: Final = 250


class WorkerBroker(OrderedBroker):
    """The broker of a worker process.

    Raises:
        ConfigurationError: If DATABASE_URI is not set, or the storage's protocol is not known.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        copies = KeptCopies(settings.storage)
        self._storage = open_storage(settings.storage.base_path, copies, makes_root=False)
        self._database = Database(settings)
        self._leases = Leases(settings, self._database)
        self._registration = Registration(self._database, self._leases, settings)
        self._live = LiveEventsClient(settings.dramatiq)
        self._sandbox = WarmSandbox(settings)
        self._slots = slots = ThreadSlots(settings.limits.max_tasks)
        admission = AdmissionControl(project_limits(settings))
        super().__init__(
            settings.dramatiq,
            middleware=self._stack(slots, admission),
            slots=slots,
            admission=admission,
        )

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
            sandbox=self._sandbox.sandbox,
            leases=self._leases.keeper,
            registry=self._registration.registry,
            live=self._live.events,
            send=self.send,
        )

    @property
    def is_ending(self) -> bool:
        """Whether this process was told to end: nothing begins in it any more."""
        return self._slots.is_closed

    def _stack(self, slots: ThreadSlots, admission: AdmissionControl) -> list[Middleware]:
        """Before-hooks run down this list, after-hooks run up it."""
        settings = self._settings
        backend = settings.dramatiq.result_backend or settings.dramatiq.broker_url
        longest_s = max(configured(each, settings).time_limit_s for each in OPERATIONS.values())
        return [
            # First in, last out: every other hook logs with the message's ids.
            LogContext(settings),
            # Counts a message before anything can skip it, and after all else is done with it.
            Metrics(settings),
            # Threads of its own, in the process that exports; it touches no message.
            Traces(),
            # Before anything connects with a password.
            NoCoreDumps(),
            # Before anything that boots could be interrupted, and before what runs is.
            Termination(settings, slots),
            # Adjusts the worker while its consumers are not yet made.
            Tuning(settings.dramatiq, slots),
            # Ends the group when all else is done with its last task, or it has none for long.
            MaxTasks(slots, settings),
            # The two that interrupt a thread. Tasks stop themselves first: see execution.attempt.
            TimeLimit(
                time_limit=round((longest_s + _TIME_LIMIT_GRACE_S) * 1000),
                interval=_TIME_LIMIT_INTERVAL_MS,
            ),
            Interruptions(),
            # Follow-ups of a message that is done, for senders who compose messages.
            Callbacks(),
            Pipelines(),
            # Below it an after-hook sees the exception first, above it whether the message failed.
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
            self._database,
            self._leases,
            # Is known to others before it takes anything, and looks at the tables.
            self._registration,
            self._live,
            # Knows what is paused before the first message is taken.
            AdmissionRefresh(self._database, admission),
            Reconciliation(settings, self._database, self._storage),
            OldCopies(settings.storage),
            StoredFiles(self._database, self._storage),
            # Late at boot: by far the slowest.
            self._sandbox,
            # In a child of the sandbox, beside whatever runs.
            PluginPublication(self._registration, self._sandbox),
        ]
