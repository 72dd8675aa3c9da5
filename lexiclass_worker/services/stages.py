"""Measurements of an operation that is done."""

from collections.abc import Mapping
from types import MappingProxyType

from lexiclass_worker.telemetry.counting import (
    count_documents,
    count_index_lookups,
    count_refused_documents,
    observe_stage,
)


def observe(
    operation: str,
    seconds: Mapping[str, float],
    *,
    documents: int,
    refused: int = 0,
    origins: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Record what an operation took.

    ``operation`` is one of ``index``, ``embed``, ``train``, ``predict``, ``evaluate``. Of the
    documents that went through, ``refused`` could not be read; ``origins`` are where their tokens
    came from.
    """
    for stage, duration in seconds.items():
        observe_stage(operation=operation, stage=stage, seconds=duration)
    count_documents(operation=operation, documents=documents)
    count_refused_documents(operation=operation, documents=refused)
    count_index_lookups(operation=operation, origins=origins)
