"""Where traces go: what the standard variables of OpenTelemetry say.

The one module that knows OpenTelemetry's SDK, which is loaded where traces are recorded alone.
See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from threading import Thread
from typing import Any, Final

from loguru import logger

from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import open_telemetry_variables

_INSTALL: Final = "pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
# Of these alone, for whoever made a package of a name that is mistyped would be run.
_EXPORTERS: Final = {
    "otlp_proto_http": _INSTALL,
    "otlp_proto_grpc": "pip install opentelemetry-exporter-otlp-proto-grpc",
}

_SERVICE: Final = "lexiclass-worker"
_LAST_WORDS_S: Final = 5.0
_GROUP: Final = "opentelemetry_traces_exporter"
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OTLP: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


class TracesUnavailable(Exception):
    """Traces are asked for and cannot be recorded."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found}: {remedy}")
        self.found = found
        self.remedy = remedy


def exporters_of(variables: Mapping[str, str]) -> list[str]:
    """Names of the exporters that are asked for; none where nothing asks for traces.

    Raises:
        TracesUnavailable: If a protocol is not known.
    """
    if variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    names = variables.get("OTEL_TRACES_EXPORTER", "").strip()
    if not names and any(variables.get(name) for name in _ENDPOINTS):
        names = "otlp"
    asked = [name for each in names.split(",") if (name := each.strip()) not in {"", "none"}]
    return [_otlp(variables) if name == "otlp" else name for name in asked]


def open_tracer() -> Any:
    """A tracer that exports as the variables say; None where nothing asks for traces.

    What a program such as ``opentelemetry-instrument`` has set up in this process is used as it is.
    Call it after a fork: it starts threads.

    Raises:
        TracesUnavailable: If traces are asked for and cannot be recorded.
    """
    variables = open_telemetry_variables()
    names = exporters_of(variables)
    if not names:
        return None
    _require_sdk()
    from opentelemetry import trace  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        exporters = _made(names)
        is_named = "OTEL_SERVICE_NAME" in variables or "service.name=" in variables.get(
            "OTEL_RESOURCE_ATTRIBUTES", ""
        )
        provider = TracerProvider(
            resource=Resource.create({} if is_named else {"service.name": _SERVICE}),
            # At its end the middleware waits, for a bounded time.
            shutdown_on_exit=False,
        )
        for exporter in exporters:
            provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(provider)
    return trace.get_tracer(_SERVICE)


def look_at_export() -> list[str]:
    """Make what exports, and let it go: what :func:`open_tracer` would do.

    Returns:
        Its names; none where nothing asks for traces.

    Raises:
        TracesUnavailable: As there.
    """
    names = exporters_of(open_telemetry_variables())
    if names:
        _require_sdk()
        for exporter in _made(names):
            exporter.shutdown()
    return names


def close_traces() -> None:
    """Export what is left, as far as that takes a few seconds."""
    from opentelemetry import trace  # noqa: PLC0415

    shutdown = getattr(trace.get_tracer_provider(), "shutdown", None)
    if shutdown is None:
        return
    # A collector that does not answer must not keep the process from ending.
    thread = Thread(target=shutdown, name="last-traces", daemon=True)
    thread.start()
    thread.join(_LAST_WORDS_S)
    if thread.is_alive():
        logger.warning("Traces are left behind: they were not taken within {} s", _LAST_WORDS_S)


def _require_sdk() -> None:
    try:
        import opentelemetry.sdk.trace  # noqa: F401, PLC0415
    except ImportError as error:
        raise TracesUnavailable(
            "variables such as OTEL_TRACES_EXPORTER ask for traces, and OpenTelemetry's SDK is not "
            f"installed ({error})",
            f"{_INSTALL}, or set OTEL_TRACES_EXPORTER=none",
        ) from error


def _otlp(variables: Mapping[str, str]) -> str:
    protocol = next((variables[name] for name in _PROTOCOLS if variables.get(name)), "")
    found = _OTLP.get(protocol or "http/protobuf")
    if found is None:
        raise TracesUnavailable(
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}", f"set one of {', '.join(_OTLP)}"
        )
    return found


def _made(names: Sequence[str]) -> list[Any]:
    known = {each.name: each for each in entry_points(group=_GROUP)}
    made = []
    for name in names:
        if name not in known:
            raise TracesUnavailable(
                f"the exporter {name} is not installed, of these there are "
                f"{', '.join(sorted(known)) or 'none'}",
                _EXPORTERS.get(name, "install the one it names, or set OTEL_TRACES_EXPORTER=otlp"),
            )
        try:
            made.append(known[name].load()())
        except Exception as error:
            raise TracesUnavailable(
                f"the exporter {name} cannot be made ({cause_of(error)})",
                "correct the variables OTEL_EXPORTER_*",
            ) from error
    return made
