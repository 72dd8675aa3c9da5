"""An evaluation as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from lexiclass_worker.cli.output import console

if TYPE_CHECKING:
    from lexiclass_core.schemas import EvaluationMetrics, TrainingDuplicates


def print_evaluation(metrics: EvaluationMetrics) -> None:
    """Print precision, recall and F1 of each class, and the confusion matrix."""
    table = Table("class", title="\nTest documents, never seen in training", title_justify="left")
    for column in ("precision", "recall", "F1", "documents"):
        table.add_column(column, justify="right")
    for name in metrics.confusion_matrix.classes:
        row = metrics.per_class_metrics[name]
        scores = (f"{score:.3f}" for score in (row.precision, row.recall, row.f1_score))
        table.add_row(escape(name), *scores, str(row.support))
    table.add_section()
    averages = (metrics.macro_precision, metrics.macro_recall, metrics.macro_f1)
    table.add_row("macro average", *(f"{score:.3f}" for score in averages), "")
    console.print(table)
    console.print(
        f"accuracy {metrics.accuracy:.3f}, macro F1 {metrics.macro_f1:.3f}, expected calibration "
        f"error {metrics.expected_calibration_error:.3f}"
    )
    _print_confusion_matrix(metrics)
    if (duplicates := metrics.duplicates_in_training) is not None:
        _print_duplicates(duplicates)


def _print_duplicates(duplicates: TrainingDuplicates) -> None:
    if duplicates.skipped is not None:
        console.print(
            f"Near-duplicates of training documents were not looked for: {duplicates.skipped}"
        )
    elif duplicates.count:
        without = duplicates.accuracy_without
        console.print(
            f"[bold yellow]{duplicates.count} of {duplicates.num_compared} test documents are the "
            "same as training documents, or nearly[/]; accuracy without them "
            + ("-" if without is None else f"{without:.3f}")
        )


def _print_confusion_matrix(metrics: EvaluationMetrics) -> None:
    classes, matrix = metrics.confusion_matrix.classes, metrics.confusion_matrix.matrix
    if matrix is None:
        return
    table = Table(
        "true class", title="\nConfusion matrix: columns are predicted", title_justify="left",
        padding=(0, 0, 0, 1),
    )  # fmt: skip
    for number, _ in enumerate(classes, start=1):
        table.add_column(str(number), justify="right")
    for row, name in enumerate(classes):
        counts = matrix[row]
        cells = (
            f"[bold green]{count}" if column == row else str(count) if count else "[dim]."
            for column, count in enumerate(counts)
        )
        table.add_row(f"{row + 1:>2} {escape(name)}", *cells)
    console.print(table)
