"""An evaluation for people: the figures, the classes, what is taken for what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, NamedTuple

import typer
from rich.cells import cell_len
from rich.text import Text

from lexiclass.cli.output import console, print_rows, print_text
from lexiclass.cli.tables import Column, prose

AllClasses = Annotated[
    bool, typer.Option("--all-classes", help="Show every class, however many there are.")
]

# Of more classes, those that are found worst are shown.
_MOST_CLASSES: Final = 20
_MOST_CONFUSIONS: Final = 10

# Of a wider matrix nobody sees which column is which.
_WIDEST_MATRIX: Final = 30

_NAMES: Final = {
    "accuracy": "accuracy",
    "subset_accuracy": "all classes right",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "expected_calibration_error": "expected calibration error",
}


class _Confusion(NamedTuple):
    """Documents of one class that another was predicted for, or the same."""

    true: str
    predicted: str
    documents: int


def print_metrics(metrics: Mapping[str, Any], *, all_classes: bool = False) -> None:
    """Print an evaluation, as :func:`lexiclass.evaluate` gives it."""
    _print_classes(metrics, all_classes=all_classes)
    intervals = _intervals(metrics)
    found = (
        f"{name} {metrics[key]:.3f}{intervals.get(key, '')}"
        for key, name in _NAMES.items()
        if key in metrics
    )
    print_text(", ".join(found))
    if intervals:
        print_text("In brackets: where a figure lies on all such documents, in 19 cases of 20.")
    if (matrix := metrics.get("confusion_matrix")) is not None:
        _print_confusions(matrix)
        _print_matrix(matrix)


def _intervals(metrics: Mapping[str, Any]) -> dict[str, str]:
    """Say how far figures may be from what they are on all documents, where that can be told."""
    # NumPy and SciPy, which a command that only prints its help does without.
    from lexiclass.report.confusion import Confusion
    from lexiclass.report.intervals import score_intervals

    matrix = metrics.get("confusion_matrix")
    confusion = None if matrix is None else Confusion.of_matrix(matrix)
    if confusion is None:
        return {}
    found = score_intervals(confusion)
    return {
        name: f" ({interval.low:.3f} to {interval.high:.3f})"
        for name, interval in (("accuracy", found.accuracy), ("macro_f1", found.macro_f1))
    }


def _print_classes(metrics: Mapping[str, Any], *, all_classes: bool) -> None:
    classes = list(metrics["per_class_metrics"].items())
    is_many = len(classes) > _MOST_CLASSES
    if is_many:
        classes.sort(key=lambda item: (item[1]["f1_score"], -item[1]["support"]))
    shown = classes if all_classes else classes[:_MOST_CLASSES]
    rows: list[dict[str, Any]] = [
        {
            "class": name,
            **{score: _score(row[score]) for score in ("precision", "recall", "f1_score")},
            "documents": row["support"],
        }
        for name, row in shown
    ]
    averages = {
        score: _score(metrics[f"macro_{key}"])
        for key, score in (("precision", "precision"), ("recall", "recall"), ("f1", "f1_score"))
    }
    rows.append({"class": Text("macro average", style="bold"), **averages, "documents": None})
    f1_score = Column("f1_score", "F1")
    print_rows((prose("class"), "precision", "recall", f1_score, "documents"), rows)
    if len(shown) < len(classes):
        print_text(
            f"[dim]the {len(shown)} classes with the lowest F1 of {len(classes):,}; "
            "--all-classes shows all"
        )


def _score(value: float) -> Text:
    return Text(f"{value:.3f}", justify="right")


def _print_confusions(matrix: Mapping[str, Any]) -> None:
    wrong = [found for found in _confusions(matrix) if found.true != found.predicted]
    wrong.sort(key=lambda found: -found.documents)
    if not wrong:
        return
    rows = [found._asdict() for found in wrong[:_MOST_CONFUSIONS]]
    columns = (prose("true", "true class"), prose("predicted", "predicted as"), "documents")
    print_rows(columns, rows, title="\nLargest confusions")
    if len(wrong) > len(rows):
        rest = sum(found.documents for found in wrong[_MOST_CONFUSIONS:])
        rest += int(matrix.get("num_omitted") or 0)
        print_text(f"[dim]and {rest:,} documents in smaller ones; --json has all")


def _confusions(matrix: Mapping[str, Any]) -> Iterable[_Confusion]:
    classes, cells = matrix["classes"], matrix.get("cells")
    if matrix["matrix"] is not None:
        cells = (
            (row, column, count)
            for row, counts in enumerate(matrix["matrix"])
            for column, count in enumerate(counts)
            if count
        )
    for row, column, count in cells or ():
        yield _Confusion(classes[row], classes[column], count)


def _print_matrix(matrix: Mapping[str, Any]) -> None:
    classes, counts = matrix["classes"], matrix["matrix"]
    if counts is None or len(classes) > _WIDEST_MATRIX:
        return
    names = [f"{number:>2} {name}" for number, name in enumerate(classes, start=1)]
    columns = [Column(str(number)) for number in range(1, len(classes) + 1)]
    widths = [
        max(len(column.name), *(len(str(row[place])) for row in counts))
        for place, column in enumerate(columns)
    ]
    first = max(map(cell_len, (*names, "true class")))
    if first + sum(widths) + len(widths) > console.width:
        return
    rows = [
        {"true class": name} | {str(n): cell for n, cell in enumerate(_cells(row, place), start=1)}
        for place, (name, row) in enumerate(zip(names, counts, strict=True))
    ]
    title = "\nConfusion matrix: columns are predicted"
    print_rows((Column("true class"), *columns), rows, title=title, gap=1)


def _cells(counts: Iterable[int], place: int) -> Iterable[Text]:
    for column, count in enumerate(counts):
        style = "bold green" if column == place else "" if count else "dim"
        text = str(count) if count or column == place else "."
        yield Text(text, style=style, justify="right")
