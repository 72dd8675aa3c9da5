"""The series that worker processes count, and nothing else.

Gauges that are read when somebody scrapes are in ``queues``, ``task_counts``, ``model_ages``,
``backups``, ``readiness`` and ``scrape`` beside this.

No label takes an id: actors, queues, operations, stages and outcomes are few, and each value is
kept for ever.
"""

from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

UNKNOWN: Final = "unknown"
"""Label of what a message names and this worker does not know."""

_MESSAGE_LABELS: Final = ("queue_name", "actor_name")

# Those of dramatiq.middleware.prometheus: dashboards made for it go on working.
_MESSAGE_BUCKETS_MS: Final = (
    *(5, 10, 25, 50, 75, 100, 250, 500, 750, 1_000, 2_500, 5_000, 7_500, 10_000),
    *(30_000, 60_000, 600_000, 900_000),
)

_BUCKETS_BYTES: Final = tuple(2**exponent for exponent in range(24, 37))  # 16 MiB to 64 GiB

# From a prediction of one document to a training of the longest time limit.
_BUCKETS_S: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    *(60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Every series of one process."""

    messages: Counter
    message_errors: Counter
    message_retries: Counter
    message_rejects: Counter
    messages_in_progress: Gauge
    delayed_messages_in_progress: Gauge
    message_durations_ms: Histogram
    task_durations_s: Histogram
    task_errors: Counter
    stage_durations_s: Histogram
    documents_processed: Counter
    model_cache: Counter
    index_lookups: Counter
    task_waits_s: Histogram
    leases_lapsed: Counter
    leases_lost: Counter
    documents_refused: Counter
    child_memory_bytes: Histogram
    reconciler_succeeded_at_s: Gauge
    reconciler_actions: Counter


def create_series() -> Series:
    """Make the series, in a registry of their own: what is read is the files, not the registry."""
    registry = CollectorRegistry()

    def counter(name: str, text: str, labels: tuple[str, ...] = _MESSAGE_LABELS) -> Counter:
        return Counter(name, text, labels, registry=registry)

    def live_gauge(name: str, text: str) -> Gauge:
        return Gauge(name, text, _MESSAGE_LABELS, registry=registry, multiprocess_mode="livesum")

    def seconds(name: str, text: str, labels: tuple[str, ...]) -> Histogram:
        return Histogram(name, text, labels, registry=registry, buckets=_BUCKETS_S)

    return Series(
        messages=counter("dramatiq_messages_total", "Messages processed."),
        message_errors=counter("dramatiq_message_errors_total", "Messages that failed."),
        message_retries=counter("dramatiq_message_retries_total", "Messages to be tried again."),
        message_rejects=counter("dramatiq_message_rejects_total", "Messages dead-lettered."),
        messages_in_progress=live_gauge(
            "dramatiq_messages_inprogress", "Messages being processed."
        ),
        delayed_messages_in_progress=live_gauge(
            "dramatiq_delayed_messages_inprogress", "Delayed messages held in memory."
        ),
        message_durations_ms=Histogram(
            "dramatiq_message_duration_milliseconds",
            "Time spent processing messages, in milliseconds.",
            _MESSAGE_LABELS,
            registry=registry,
            buckets=_MESSAGE_BUCKETS_MS,
        ),
        task_durations_s=seconds(
            "lexiclass_task_duration_seconds",
            "Time of one attempt at a task, in seconds, by how it ended.",
            ("actor", "queue", "outcome"),
        ),
        task_errors=counter(
            "lexiclass_task_errors_total",
            "Attempts at a task that ended with an error, by its code.",
            ("actor", "outcome", "code"),
        ),
        stage_durations_s=seconds(
            "lexiclass_stage_duration_seconds",
            "Time of one stage of an operation, in seconds.",
            ("operation", "stage"),
        ),
        documents_processed=counter(
            "lexiclass_documents_processed_total",
            "Documents indexed, trained on, predicted or evaluated.",
            ("operation",),
        ),
        model_cache=counter(
            "lexiclass_model_cache_total", "Look-ups of a loaded model.", ("result",)
        ),
        index_lookups=counter(
            "lexiclass_index_lookups_total",
            "Documents looked up in an index: taken from it (indexed), or tokenized again because "
            "they have changed or are not in it (missing).",
            ("operation", "result"),
        ),
        task_waits_s=seconds(
            "lexiclass_task_wait_seconds",
            "Time from when a task could have begun until its first attempt did, in seconds.",
            ("queue",),
        ),
        leases_lapsed=counter(
            "lexiclass_leases_lapsed_total",
            "Attempts whose worker died or stalled, as seen by the worker that took over.",
            ("actor",),
        ),
        leases_lost=counter(
            "lexiclass_leases_lost_total",
            "Attempts that found their task taken over by another worker.",
            ("actor",),
        ),
        documents_refused=counter(
            "lexiclass_documents_refused_total",
            "Documents that could not be read, and were left out.",
            ("operation",),
        ),
        child_memory_bytes=Histogram(
            "lexiclass_child_memory_peak_bytes",
            "The most memory that a job took in its child process, on top of what that held.",
            ("function",),
            registry=registry,
            buckets=_BUCKETS_BYTES,
        ),
        reconciler_succeeded_at_s=Gauge(
            "lexiclass_reconciler_last_success_timestamp_seconds",
            "When this group last reconciled tasks and messages; 0 where another group does.",
            registry=registry,
            multiprocess_mode="livemax",
        ),
        reconciler_actions=counter(
            "lexiclass_reconciler_actions_total",
            "What the reconciler set right, by kind.",
            ("action",),
        ),
    )
