"""What comes to the lifecycle of a task: a message, a service for it, and what the process has."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from lexiclass_core.db import SessionFactory
from lexiclass_core.envelope import Envelope
from lexiclass_core.schemas import Request, Result
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.config import Settings
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.lease_keeper import LeaseKeeper
from lexiclass_worker.execution.live_events import LiveEvents
from lexiclass_worker.execution.worker_row import WorkerRow
from lexiclass_worker.sandbox import Sandbox

RequestT = TypeVar("RequestT", bound=Request)
Service = Callable[[TaskContext, RequestT], Awaitable[Result]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as it was delivered.

    Attributes:
        args: Positional arguments; there should be none.
        retries: How often this message was sent again so far.
        priority: Lower runs first; None for the actor's own.
        trace_context: Headers of the span that sent it, where it was sent without a row.
    """

    message_id: str
    queue_name: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    correlation_id: str
    retries: int
    sent_at: datetime
    priority: int | None = None
    trace_context: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """What a worker process has for its tasks.

    Attributes:
        registry: Where this process is registered; None if it is not.
        live: Where watchers are told of progress; None tells nobody but the rows.
        send: Puts messages on their queues. Blocks; raises BrokerUnavailable if Redis did not take
            them.
    """

    settings: Settings
    sessions: SessionFactory
    storage: Storage
    sandbox: Sandbox
    leases: LeaseKeeper
    send: Callable[[Sequence[Envelope]], None]
    registry: WorkerRow | None = None
    live: LiveEvents | None = None
