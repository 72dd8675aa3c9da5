"""Measurements of an operation that is done."""

from collections.abc import Mapping

from lexiclass_worker.telemetry.metrics import count_documents, observe_stage


def observe(operation: str, seconds: Mapping[str, float], *, documents: int) -> None:
    """Record how long each stage took, in seconds, and how many documents went through."""
    for stage, duration in seconds.items():
        observe_stage(operation=operation, stage=stage, seconds=duration)
    count_documents(operation=operation, documents=documents)
