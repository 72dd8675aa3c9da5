"""A request that becomes a pending task."""

import math
import uuid
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict, Unpack, cast

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from sqlalchemy import and_, literal, select
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import Session

from lexiclass_core.db.values import EARLIEST, LATEST
from lexiclass_core.envelope import Envelope
from lexiclass_core.models import Task
from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queue_config import HIGHEST_PRIORITY, LOWEST_PRIORITY
from lexiclass_core.queueing.envelopes import LONGEST_ID
from lexiclass_core.schemas import Request
from lexiclass_core.storable import DEEPEST, is_storable
from lexiclass_core.tasks.errors import IdempotencyConflict, InvalidTask
from lexiclass_core.tracing import current_trace_context, producer_span


class SubmitOptions(TypedDict, total=False):
    """How a task is submitted, whatever it is.

    Attributes:
        correlation_id: Carried to every log line of the task, at most 500 characters; the message
            id when not given.
        idempotency_key: Names this submission within its project: another one with the same key
            gives the task of the first.
        delay_s: Seconds to wait before it may run.
        not_before: Moment before which it may not run; needs a time zone.
        priority: Lower runs first within its queue, -1000 to 1000; the actor's own when not given:
            0 for a prediction, 10 for an evaluation, 20 for a training or an indexing.
    """

    correlation_id: str | None
    idempotency_key: str | None
    delay_s: float | None
    not_before: datetime | None
    priority: int | None


_OPTIONS: Final = SubmitOptions.__optional_keys__


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What is written first, and sent then.

    Attributes:
        idempotency_key: Unique within the project, or None.
        trace_context: Headers of the span that submits it, if one does.
    """

    envelope: Envelope
    project_id: int
    idempotency_key: str | None
    trace_context: dict[str, str] | None = None

    @classmethod
    def of(cls, request: Request, **options: Unpack[SubmitOptions]) -> "Submission":
        """A request with how it is to be submitted.

        Raises:
            InvalidTask: If something of it cannot be stored, is out of range or no option.
        """
        if unknown := sorted(options.keys() - _OPTIONS):
            raise InvalidTask(
                f"no options: {', '.join(unknown)}; there are {', '.join(sorted(_OPTIONS))}"
            )
        message_id = str(uuid.uuid4())
        correlation_id = _text("correlation_id", options.get("correlation_id") or None)
        correlation_id = correlation_id or message_id
        key = _text("idempotency_key", options.get("idempotency_key"))
        envelope = Envelope(
            message_id=message_id,
            actor_name=request.actor_name,
            queue=OPERATIONS[request.actor_name].queue,
            kwargs=_arguments(request),
            correlation_id=correlation_id,
            not_before=_not_before(options.get("delay_s"), options.get("not_before")),
            priority=_priority(options.get("priority")),
        )
        return cls(
            envelope=envelope,
            project_id=request.project_id,
            idempotency_key=key,
            trace_context=current_trace_context(),
        )

    def as_row(self) -> dict[str, Any]:
        """The columns of the pending task."""
        return {
            "project_id": self.project_id,
            "message_id": self.envelope.message_id,
            "type": self.envelope.actor_name,
            "queue": self.envelope.queue,
            "request": self.envelope.kwargs,
            "correlation_id": self.envelope.correlation_id,
            "idempotency_key": self.idempotency_key,
            "not_before": self.envelope.not_before,
            "priority": self.envelope.priority,
            "trace_context": self.trace_context,
        }


def submitting(request: Request) -> AbstractContextManager[None]:
    """The span of a submission, where the program records traces."""
    name = request.actor_name
    return producer_span(actor_name=name, queue=OPERATIONS[name].queue)


def add(session: Session, submission: Submission) -> tuple[Task, bool]:
    """Write a pending task, or find that with its key. Returns it, and whether it is new.

    The session is a synchronous one; an AsyncSession runs this with ``run_sync``.

    Raises:
        IdempotencyConflict: If the key belongs to another request.
    """
    statement = insert(Task).values(submission.as_row())
    if submission.idempotency_key is not None:
        statement = statement.on_conflict_do_nothing(
            index_elements=[Task.project_id, Task.idempotency_key]
        )
    task = session.scalar(statement.returning(Task))
    if task is not None:
        return task, True
    envelope = submission.envelope
    # Compared by the database, which writes some numbers in another way than they came.
    is_same = and_(
        Task.type == envelope.actor_name, Task.request == literal(envelope.kwargs, JSONB)
    )
    found = session.execute(
        select(Task, is_same).where(
            Task.project_id == submission.project_id,
            Task.idempotency_key == submission.idempotency_key,
        )
    )
    task, repeats = found.one()
    if not repeats:
        raise IdempotencyConflict(submission.idempotency_key or "", task.id)
    return task, False


def split(
    schema: type[Request],
    arguments: Mapping[str, object],
    options: SubmitOptions | None,
    **required: object,
) -> tuple[Request, SubmitOptions]:
    """The request that some arguments make, and how to submit it.

    Arguments that have the name of an option, and of no field, are taken for it where no options
    are given.

    Raises:
        InvalidTask: If they are not what the schema takes; the message names each.
    """
    fields, said = dict(arguments), dict(options or {})
    if options is None:
        names = _OPTIONS & fields.keys() - schema.model_fields.keys()
        said = {name: fields.pop(name) for name in names}
    try:
        request = schema.model_validate({**fields, **required})
    except ValidationError as error:
        raise InvalidTask(
            f"invalid arguments of {schema.actor_name}: {problems_of(error)}"
        ) from None
    return request, cast("SubmitOptions", said)


def problems_of(error: ValidationError) -> str:
    """Every wrong argument; inputs are left out, they may be large."""
    return "; ".join(
        f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _arguments(request: Request) -> dict[str, Any]:
    # What was not given is left to the actor: its defaults are the worker's to choose.
    _require_storable("request", request.model_dump(exclude_unset=True))
    try:
        return request.model_dump(mode="json", exclude_unset=True)
    except PydanticSerializationError as error:
        raise InvalidTask(f"request holds what JSON has no place for: {error}") from None


def _require_storable(name: str, value: Any) -> None:
    if is_storable(value):
        return
    found = next(iter(_unstorable_parts(name, value)), name)
    raise InvalidTask(
        f"{found} holds what JSON or PostgreSQL has no place for: a NUL character, a lone "
        f"surrogate, NaN, an infinity, or more than {DEEPEST} levels; nothing was submitted"
    )


def _unstorable_parts(name: str, value: Any) -> list[str]:
    """Where in a value the trouble is: the innermost part that cannot be stored."""
    match value:
        case dict():
            parts = [(f"{name}.{key}", item) for key, item in value.items()]
        case list():
            parts = [(f"{name}[{position}]", item) for position, item in enumerate(value)]
        case _:
            return [name]
    bad = next(((path, item) for path, item in parts if not is_storable(item)), None)
    return [name] if bad is None else _unstorable_parts(*bad)


def _text(name: str, text: object) -> str | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise InvalidTask(f"{name} is of type {type(text).__name__}: expected a text")
    if not 1 <= len(text) <= LONGEST_ID:
        raise InvalidTask(f"{name} has {len(text)} characters: expected 1 to {LONGEST_ID}")
    _require_storable(name, text)
    return text


def _priority(priority: int | None) -> int | None:
    if priority is None or (
        type(priority) is int and HIGHEST_PRIORITY <= priority <= LOWEST_PRIORITY
    ):
        return priority
    raise InvalidTask(
        f"priority is {priority!r}: expected {HIGHEST_PRIORITY} (first) to {LOWEST_PRIORITY} (last)"
    )


def _not_before(delay_s: float | None, not_before: object) -> datetime | None:
    if delay_s is not None and not_before is not None:
        raise InvalidTask("give delay_s or not_before, not both")
    if not_before is None:
        return None if delay_s is None else _from_now(delay_s)
    if not isinstance(not_before, datetime):
        raise InvalidTask(f"not_before is of type {type(not_before).__name__}: expected a datetime")
    if not_before.tzinfo is None:
        raise InvalidTask("not_before has no time zone: give one, such as datetime.now(UTC)")
    if not EARLIEST <= not_before < LATEST:
        raise InvalidTask(f"not_before is {not_before}: no task would ever run then")
    return not_before


def _from_now(delay_s: float) -> datetime:
    try:
        if math.isfinite(delay_s) and delay_s >= 0:
            moment = datetime.now(UTC) + timedelta(seconds=delay_s)
            if moment < LATEST:
                return moment
    except (OverflowError, TypeError):
        pass
    raise InvalidTask(f"delay_s is {delay_s!r}: expected seconds from now, 0 or more")
