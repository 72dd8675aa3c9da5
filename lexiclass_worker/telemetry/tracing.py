"""Spans of a worker: one for each attempt at a task, and one for each of its stages.

They follow what submitted the task, as its row names it. Where this process records no traces
nothing is done, and OpenTelemetry is not loaded.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from loguru import logger

from lexiclass_core.models import Task
from lexiclass_core.tracing import SYSTEM, kept_trace_context

# A child says which stage it is in, as often as it likes.
_MOST_STAGES: Final = 128


class _Process:
    """What this process records spans with; None where it records none."""

    tracer: Any = None


def use_tracer(tracer: Any) -> None:
    """Record spans from now on by OpenTelemetry's API; None records nothing any more."""
    _Process.tracer = tracer


class AttemptSpan:
    """The span of an attempt, of OpenTelemetry's API, or nothing."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def tell(self, outcome: str, code: str | None) -> None:
        """Say how the attempt ended, as :mod:`~lexiclass_worker.telemetry.counting` counts it."""
        if self._span is None:
            return
        from opentelemetry.trace import StatusCode  # noqa: PLC0415

        self._span.set_attribute("lexiclass.task.outcome", outcome)
        if code is not None:
            self._span.set_attribute("error.type", code)
        if outcome in {"failed", "retrying"}:
            self._span.set_status(StatusCode.ERROR)


@contextmanager
def attempt_span(task: Task) -> Iterator[AttemptSpan]:
    """The span of an attempt at a task: a child of what submitted it, to which it is linked."""
    if (tracer := _Process.tracer) is None:
        yield AttemptSpan()
        return
    from opentelemetry import trace  # noqa: PLC0415
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

    submitted = tracecontext.TraceContextTextMapPropagator().extract(
        kept_trace_context(task.trace_context) or {}, Context()
    )
    origin = trace.get_current_span(submitted).get_span_context()
    with tracer.start_as_current_span(
        f"process {task.type}",
        context=submitted,
        kind=trace.SpanKind.CONSUMER,
        links=[trace.Link(origin)] if origin.is_valid else [],
        attributes=_attributes(task),
        # The text of an exception may quote a document.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        trace_id = trace.format_trace_id(span.get_span_context().trace_id)
        with logger.contextualize(trace_id=trace_id):
            yield AttemptSpan(span)


class StageSpans:
    """The spans of an attempt's stages, one after the other, below the span that is open here."""

    def __init__(self) -> None:
        self._tracer = _Process.tracer
        self._span: Any = None
        self._left = _MOST_STAGES
        self._parent: Any = None
        if self._tracer is not None:
            from opentelemetry.context import get_current  # noqa: PLC0415

            self._parent = get_current()

    def enter(self, stage: str) -> None:
        """End the stage before, and begin one."""
        self.close()
        if self._tracer is not None and self._left > 0:
            self._left -= 1
            self._span = self._tracer.start_span(
                stage, context=self._parent, attributes={"lexiclass.stage": stage}
            )

    def close(self) -> None:
        """End the last stage."""
        if self._span is not None:
            self._span.end()
            self._span = None


def _attributes(task: Task) -> dict[str, str | int]:
    attributes: dict[str, str | int | None] = {
        "messaging.system": SYSTEM,
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": task.queue,
        "messaging.message.id": task.message_id,
        "messaging.message.conversation_id": task.correlation_id,
        "lexiclass.task.id": task.id,
        "lexiclass.task.type": task.type,
        "lexiclass.task.attempt": task.attempts,
        "lexiclass.task.parent_id": task.parent_id,
        "lexiclass.project.id": task.project_id,
    }
    return {name: value for name, value in attributes.items() if value is not None}
