"""Traces of OpenTelemetry: the span of a submission, and what of it is kept with a task's row.

Nothing here loads OpenTelemetry. A program that records traces has loaded it, and set up what
records them; elsewhere nothing is done and nothing kept.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

SYSTEM: Final = "dramatiq"
"""``messaging.system`` of spans, see
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/."""

# What https://www.w3.org/TR/trace-context/ lets propagate, of which nothing else is kept: baggage
# may hold anything.
_LONGEST: Final = {"traceparent": 64, "tracestate": 512}


@contextmanager
def producer_span(*, actor_name: str, queue: str) -> Iterator[None]:
    """The span of a submission: what sends it is its parent, what runs it follows it."""
    trace = _open_telemetry()
    if trace is None:
        yield
        return
    attributes = {
        "messaging.system": SYSTEM,
        "messaging.operation.type": "send",
        "messaging.operation.name": "submit",
        "messaging.destination.name": queue,
        "lexiclass.task.type": actor_name,
    }
    with trace.get_tracer("lexiclass_core").start_as_current_span(
        f"submit {actor_name}",
        kind=trace.SpanKind.PRODUCER,
        attributes=attributes,
        # The text of an exception may quote a request.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield
        except Exception as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(trace.StatusCode.ERROR)
            raise


def current_trace_context() -> dict[str, str] | None:
    """The headers of the span that is open here; None if there is none."""
    if _open_telemetry() is None:
        return None
    from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

    headers: dict[str, str] = {}
    tracecontext.TraceContextTextMapPropagator().inject(headers)
    return kept_trace_context(headers)


def kept_trace_context(headers: object) -> dict[str, str] | None:
    """What of some headers is kept, whoever has written them; None if they name no span."""
    if not isinstance(headers, Mapping):
        return None
    found = {
        name: value
        for name, longest in _LONGEST.items()
        if isinstance(value := headers.get(name), str) and 0 < len(value) <= longest
        if value.isascii() and value.isprintable()
    }
    return found if "traceparent" in found else None


def _open_telemetry() -> Any:
    """The API, in a program that records traces; other libraries load it, too."""
    found: Any = sys.modules.get("opentelemetry.trace")
    # Another thread may be loading it.
    if not hasattr(found, "get_tracer_provider"):
        return None
    is_set_up = not isinstance(found.get_tracer_provider(), found.ProxyTracerProvider)
    return found if is_set_up else None
