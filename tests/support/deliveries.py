"""Messages delivered to the task lifecycle, without a broker between."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from lexiclass_core.envelope import Envelope
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.schemas import IndexDocuments, IndexResult, Request
from lexiclass_worker.config import Settings
from lexiclass_worker.execution import lifecycle
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.delivery import Delivery, Runtime, Service
from lexiclass_worker.execution.lease_keeper import LeaseKeeper
from lexiclass_worker.execution.live_events import LiveEvents
from lexiclass_worker.setting_groups import LimitSettings, RetrySettings
from tests.support.services import Workshop

ROW = "SELECT * FROM task WHERE message_id = :id"


def delivery(*args: Any, message_id: str | None = None, **kwargs: Any) -> Delivery:
    """A message as it is delivered for the first time."""
    message_id = message_id or str(uuid.uuid4())
    return Delivery(
        message_id=message_id,
        queue_name="indexing",
        args=args,
        kwargs=kwargs,
        correlation_id=f"correlation of {message_id}",
        retries=0,
        sent_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


async def deliver(
    workshop: Workshop,
    service: Service[Any],
    message: Delivery,
    *,
    schema: type[Request] = IndexDocuments,
    keeper: LeaseKeeper | None = None,
    live: LiveEvents | None = None,
    send: Callable[[Sequence[Envelope]], None] = lambda _: None,
) -> dict[str, Any]:
    """Run a service for a message as a worker does: this one, or another with leases of its own.

    What it sends is lost unless ``send`` takes it, as by a Redis that loses its data.
    """
    keeper = keeper or workshop.keeper
    runtime = Runtime(
        settings=workshop.settings,
        sessions=workshop.sessions,
        storage=workshop.storage,
        sandbox=workshop.sandbox,
        leases=keeper,
        live=live,
        send=send,
    )
    return await lifecycle.run(runtime, message, schema, service)


async def task_row(workshop: Workshop, message: Delivery) -> dict[str, Any]:
    """The row of a message."""
    return await workshop.row(ROW, id=message.message_id)


def again(message: Delivery) -> Delivery:
    """The message as it is delivered after a retry."""
    return replace(message, retries=message.retries + 1)


async def come_due(workshop: Workshop, message_id: str) -> None:
    """Let the wait that followed a failed attempt be over."""
    await workshop.execute(
        "UPDATE task SET next_attempt_at = now() "
        "WHERE message_id = :id AND next_attempt_at IS NOT NULL",
        id=message_id,
    )


def with_limits(
    settings: Settings,
    *,
    time_limit_s: float | None = None,
    max_attempts: int | None = None,
    max_crashes: int | None = None,
    min_backoff_s: float | None = None,
) -> Settings:
    """Settings with a task's bounds overridden."""
    limits = LimitSettings(time_limit_s=time_limit_s, document_bytes=settings.limits.document_bytes)
    retries = RetrySettings(
        max_attempts=max_attempts, max_crashes=max_crashes, min_backoff_s=min_backoff_s
    )
    return settings.model_copy(update={"limits": limits, "retries": retries})


@dataclass
class Post:
    """Takes what workers send, and hands it to a worker when the test says so.

    Attributes:
        services: What runs a message, by its actor's name.
        sent: What was sent, and not collected.
    """

    workshop: Workshop
    services: Mapping[str, Service[Any]]
    sent: list[Envelope] = field(default_factory=list)

    def take(self, envelopes: Sequence[Envelope]) -> None:
        """Take what a worker sends."""
        self.sent += envelopes

    async def hand_over(
        self, envelope: Envelope, *, keeper: LeaseKeeper | None = None
    ) -> dict[str, Any]:
        """Have a message run. Returns its result."""
        message = delivery(message_id=envelope.message_id, **envelope.kwargs)
        return await deliver(
            self.workshop,
            self.services[envelope.actor_name],
            message,
            schema=OPERATIONS[envelope.actor_name].request,
            keeper=keeper,
            send=self.take,
        )

    def collect(self) -> list[Envelope]:
        """What was sent since the last time."""
        sent, self.sent = self.sent, []
        return sent


class Recorder:
    """A service that does as it is told, one thing for each run, the last one for ever.

    Attributes:
        runs: The requests it was given.
    """

    def __init__(self, *outcomes: BaseException | None) -> None:
        self._outcomes: Sequence[BaseException | None] = outcomes or (None,)
        self.runs: list[Request] = []

    async def __call__(self, task: TaskContext, request: Request) -> IndexResult:
        outcome = self._outcomes[min(len(self.runs), len(self._outcomes) - 1)]
        self.runs.append(request)
        if outcome is not None:
            raise outcome
        return index_result(request.project_id)


def index_result(project_id: int = 1) -> IndexResult:
    """Some result."""
    return IndexResult(
        project_id=project_id,
        index_path="/somewhere",
        is_incremental=True,
        num_documents=2,
        added=2,
        changed=0,
        removed=0,
        unchanged=0,
        num_skipped=0,
        skipped=[],
    )
