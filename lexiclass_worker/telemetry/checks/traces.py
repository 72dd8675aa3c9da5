"""Traces: whether they can be recorded, where they are asked for."""

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.outcome import Finding, Look, NotLooked, checked
from lexiclass_worker.telemetry.trace_export import TracesUnavailable, look_at_export


@checked("traces", remedy="correct the variables OTEL_*")
def check_traces(_settings: Settings) -> Look:
    """Whether what the standard variables of OpenTelemetry ask for is installed; a warning."""
    try:
        names = look_at_export()
    except TracesUnavailable as error:
        return Look("", [Finding(error.found, error.remedy)])
    if not names:
        raise NotLooked("no variable of OpenTelemetry asks for traces")
    return Look(f"exported by {', '.join(names)}")
