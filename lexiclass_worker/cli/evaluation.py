"""An evaluation for people, with what the worker finds beside the library's figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from lexiclass.cli.evaluation import print_metrics
from lexiclass_worker.cli.output import print_text

if TYPE_CHECKING:
    from lexiclass_core.schemas import EvaluationMetrics, TrainingDuplicates


def print_evaluation(
    metrics: EvaluationMetrics, *, all_classes: bool = False, warnings: Sequence[str] = ()
) -> None:
    """Print precision, recall and F1 of the classes, and the confusions.

    ``warnings`` are what else is said of it: near-duplicates are not told of twice.
    """
    print_text("\n[bold]Test documents, never seen in training")
    print_metrics(metrics.model_dump(), all_classes=all_classes)
    duplicates = metrics.duplicates_in_training
    if duplicates is not None and not (warnings and duplicates.count):
        _print_duplicates(duplicates)


def _print_duplicates(duplicates: TrainingDuplicates) -> None:
    if duplicates.skipped is not None:
        print_text(
            "Near-duplicates of training documents were not looked for: "
            + escape(duplicates.skipped)
        )
    elif duplicates.count:
        without = duplicates.accuracy_without
        print_text(
            f"[bold yellow]{duplicates.count} of {duplicates.num_compared} test documents are the "
            "same as training documents, or nearly[/]; accuracy without them "
            + ("-" if without is None else f"{without:.3f}")
        )
