"""Traces that lead from a submission over its attempts to stages and chunks."""

import socket
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.console_showcase import opened_client
from tests.support.corpora import SmallProject
from tests.support.house import House
from tests.support.otlp import Collector, ReceivedSpan, running_collector


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


@pytest.fixture
def own_spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What this process records, as an API would that has set OpenTelemetry up."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    return exporter


def ids(span: ReadableSpan) -> tuple[str, str]:
    context = span.get_span_context()
    assert context is not None
    return trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)


def lose_messages(house: House) -> None:
    """Forget what Redis holds of the queues."""
    client = house.sender.broker.client
    client.delete(*client.scan_iter(f"{house.environment['DRAMATIQ__NAMESPACE']}*"))


def only(spans: list[ReceivedSpan]) -> ReceivedSpan:
    (span,) = spans
    return span


@pytest.mark.slow
def test_one_trace_leads_from_the_submission_to_stages_and_chunks_though_its_message_was_lost(
    own_house: House, collector: Collector, own_spans: InMemorySpanExporter
) -> None:
    project = own_house.project(training=4, test=2)
    with opened_client(own_house) as client:
        with trace.get_tracer("api").start_as_current_span("request"):
            trained = client.train(project.project_id, project.field_id)
        lose_messages(own_house)
        submission, request = own_spans.get_finished_spans()

        with own_house.worker(
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            RECONCILER__INTERVAL_S="0.5",
            PREDICTION__CHUNK_SIZE="2",
        ):
            own_house.database.succeeded(trained.message_id)
            predicted = client.predict(project.project_id, project.field_id, None)
            own_house.database.succeeded(predicted.message_id)
            failed = client.train(project.project_id, project.field_id + 1)
            own_house.database.failed(failed.message_id)

    # The submission is a child of what the program was at, and is what the attempt follows.
    assert submission.parent is not None
    assert (submission.name, submission.kind) == (
        "submit train_field_model",
        trace.SpanKind.PRODUCER,
    )
    assert trace.format_span_id(submission.parent.span_id) == ids(request)[1]
    attempt = only(collector.of_task(trained.message_id))
    assert (attempt.name, attempt.kind) == ("process train_field_model", "CONSUMER")
    assert (attempt.trace_id, attempt.parent_id) == ids(submission)
    assert attempt.links == [ids(submission)[1]]
    assert attempt.service == "lexiclass-worker"
    assert attempt.attributes["lexiclass.task.id"] == trained.id
    assert attempt.attributes["lexiclass.task.outcome"] == "succeeded"
    stages = [span.name for span in collector.below(attempt) if span.kind == "INTERNAL"]
    assert {"classifier", "save"} <= set(stages)

    # Chunks follow the attempt that has spread them.
    spread = collector.of_task(predicted.message_id)
    chunks = [span for span in collector.spans if "lexiclass.task.parent_id" in span.attributes]
    assert {span.parent_id for span in chunks} <= {span.span_id for span in spread}
    assert len(chunks) == 9
    assert len({span.trace_id for span in [*spread, *chunks]}) == 1
    assert all(collector.below(chunk) for chunk in chunks)

    end = only(collector.of_task(failed.message_id))
    assert (end.is_error, end.attributes["error.type"]) == (True, "NOT_FOUND")


@pytest.mark.slow
def test_a_message_of_another_program_keeps_its_options_and_its_trace(
    own_house: House, collector: Collector
) -> None:
    project = own_house.project(training=4, test=2)
    origin = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    options = {"traceparent": origin, "tracestate": "a=b", "correlation_id": "theirs"}
    next_one = own_house.sender.message(
        "index_documents", message_id="piped", project_id=project.project_id,
        options={"pipe_ignore": True},
    )  # fmt: skip
    with own_house.worker(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url):
        # It comes back once or more: of a project whose queue is paused nothing starts.
        own_house.pause("training")
        sent = own_house.send_training(
            project, options={**options, "pipe_target": next_one.asdict()}
        )
        own_house.resume()
        row = own_house.database.succeeded(sent)
        own_house.database.succeeded("piped")

    assert row["correlation_id"] == "theirs"
    assert row["trace_context"] == {"traceparent": origin, "tracestate": "a=b"}
    attempt = only(collector.of_task(sent))
    assert f"00-{attempt.trace_id}-{attempt.parent_id}-01" == origin


@pytest.mark.slow
def test_tasks_run_and_workers_end_though_no_collector_answers(
    own_house: House,
) -> None:
    project: SmallProject = own_house.project(training=2, test=1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with own_house.worker(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint) as group:
            own_house.train(project)
        assert group.process.returncode == 0
