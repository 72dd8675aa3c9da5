"""What is kept of traces, what exports them, and what happens where nothing does."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexiclass_core.tracing import current_trace_context, kept_trace_context
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.outcome import State
from lexiclass_worker.telemetry.checks.processes import check_traces
from lexiclass_worker.telemetry.trace_export import TracesUnavailable, exporters_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.fixed_dictionaries({}, optional={"traceparent": JSON, "tracestate": JSON, "x": JSON}))
def test_what_is_kept_of_headers_is_short_and_harmless_whoever_writes_them(headers: Any) -> None:
    kept = kept_trace_context(headers)

    assert kept is None or kept.keys() <= {"traceparent", "tracestate"}
    assert all(value.isprintable() and len(value) <= 512 for value in (kept or {}).values())
    assert kept_trace_context(kept) == kept


@given(JSON)
def test_headers_may_be_anything(headers: Any) -> None:
    assert kept_trace_context(headers) is None or "traceparent" in headers


def test_headers_are_kept_but_for_baggage() -> None:
    headers = {"traceparent": PARENT, "tracestate": "a=b", "baggage": "user=anna"}

    assert kept_trace_context(headers) == {"traceparent": PARENT, "tracestate": "a=b"}


def test_without_a_span_nothing_is_kept() -> None:
    assert current_trace_context() is None


@pytest.mark.slow
def test_nothing_is_set_up_where_no_variable_asks_for_traces() -> None:
    script = (
        "import sys, threading; import lexiclass_worker.worker, lexiclass_core.client\n"
        "from lexiclass_worker.telemetry.trace_export import open_tracer\n"
        "assert open_tracer() is None\n"
        "assert threading.active_count() == 1\n"
        # Redis' client loads what is installed, and sets up nothing.
        "api = sys.modules.get('opentelemetry.trace')\n"
        "sys.exit(api is not None and\n"
        "         not isinstance(api.get_tracer_provider(), api.ProxyTracerProvider))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, []),
        ({"OTEL_SERVICE_NAME": "a"}, []),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_SDK_DISABLED": "TRUE"}, []),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ["otlp_proto_http"]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, ["otlp_proto_http"]),
        (
            {"OTEL_TRACES_EXPORTER": "otlp, console", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            ["otlp_proto_grpc", "console"],
        ),
    ],
)
def test_exporters_are_those_of_the_standard_variables(
    variables: dict[str, str], expected: list[str]
) -> None:
    assert exporters_of(variables) == expected


def test_a_protocol_that_is_not_known_is_told() -> None:
    with pytest.raises(TracesUnavailable, match="http/protobuf"):
        exporters_of({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier"})


def test_check_says_what_exports_and_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check_traces(Settings()).state is State.SKIPPED
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    assert check_traces(Settings()).found == "exported by console"

    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "pigeons")
    check = check_traces(Settings())
    assert check.state is State.WARN
    # No command has the name, for anybody may have made a package of it.
    assert "pip install" not in str(check.remedy)

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    check = check_traces(Settings())
    assert check.state is State.WARN
    assert "pip install opentelemetry-sdk opentelemetry-exporter-otlp" in check.remedy
