"""A comparison of versions as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from lexiclass_worker.cli.output import console, show

if TYPE_CHECKING:
    from lexiclass_worker.services.comparison import Comparison

# Of this, smaller is better.
_ERRORS = frozenset({"expected_calibration_error"})


def print_comparison(comparison: Comparison) -> None:
    """Print the measures, the classes and the parameters of versions side by side."""
    _print_scores("measure", comparison, comparison.measures)
    if comparison.f1_scores:
        _print_scores("F1 of class", comparison, comparison.f1_scores)
    if comparison.parameters:
        table = _table("trained with", comparison)
        for name, values in comparison.parameters.items():
            table.add_row(escape(name), *map(show, values))
        console.print(table)
    for line in _remarks(comparison):
        console.print(line)


def _print_scores(
    title: str, comparison: Comparison, rows: Mapping[str, Sequence[float | None]]
) -> None:
    table = _table(title, comparison)
    for name, (first, *others) in rows.items():
        cells = [_score(first), *(_delta(name, first, other) for other in others)]
        table.add_row(escape(name.replace("_", " ") if title == "measure" else name), *cells)
    console.print(table)


def _table(title: str, comparison: Comparison) -> Table:
    table = Table(title)
    for version in comparison.versions:
        table.add_column(f"version {version}", justify="right")
    return table


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _delta(name: str, first: float | None, value: float | None) -> str:
    if value is None or first is None:
        return _score(value)
    delta = value - first
    better = delta < 0 if name in _ERRORS else delta > 0
    colour = "dim" if delta == 0 else "green" if better else "red"
    return f"{value:.4f} [{colour}]{delta:+.4f}[/]"


def _remarks(comparison: Comparison) -> list[str]:
    remarks = [
        _said(comparison.same_training_set, "training", "trained"),
        _said(comparison.same_test_set, "test", "evaluated"),
    ]
    first = comparison.versions[0]
    remarks += [
        f"version {found.version} against {first}: {found.only_this_right} test documents right "
        f"where {first} is wrong, {found.only_first_right} the other way round; p = "
        f"{found.p_value:.3g} (exact McNemar test)"
        for found in comparison.differences
    ]
    return remarks


def _said(is_same: bool | None, kind: str, done: str) -> str:
    match is_same:
        case True:
            return f"all were {done} on the same {kind} set"
        case False:
            return f"they were {done} on different {kind} sets"
        case None:
            return f"it is not known of all of them on which {kind} set they were {done}"
