"""A comparison of versions as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.text import Text

from lexiclass.cli.values import show
from lexiclass_worker.cli.output import Column, print_rows, print_text, prose

if TYPE_CHECKING:
    from lexiclass.report.comparison_model import ComparedFigure, ModelChanges
    from lexiclass_worker.admin.comparison import VersionComparison, VersionDifference

# Of this, smaller is better.
_ERRORS = frozenset({"expected calibration error"})

_MOST_CLASSES: Final = 20

_NAMED_DOCUMENTS: Final = 10

# A difference as large is that seldom found between models that are as good.
_CHANCE: Final = 0.05


def print_comparison(comparison: VersionComparison, *, all_classes: bool = False) -> None:
    """Print the measures, the classes and the parameters of versions side by side."""
    measures = {name.replace("_", " "): row for name, row in comparison.measures.items()}
    _print_scores("measure", comparison, measures)
    classes = dict(sorted(comparison.f1_scores.items(), key=_difference, reverse=True))
    is_cut = len(classes) > _MOST_CLASSES and not all_classes
    if classes:
        shown = dict(islice(classes.items(), _MOST_CLASSES)) if is_cut else comparison.f1_scores
        _print_scores("F1 of class", comparison, shown)
    if is_cut:
        print_text(
            f"[dim]the {_MOST_CLASSES} classes that differ most of {len(classes):,}; "
            "--all-classes shows all"
        )
    if comparison.parameters:
        rows = [
            {"name": name, **dict(zip(_titles(comparison), map(show, values), strict=True))}
            for name, values in comparison.parameters.items()
        ]
        versions = [prose(title) for title in _titles(comparison)]
        print_rows((Column("name", "trained with"), *versions), rows)
    for line in _remarks(comparison):
        print_text(line)


def _print_scores(
    title: str, comparison: VersionComparison, rows: Mapping[str, Sequence[float | None]]
) -> None:
    table = [
        {"name": name} | dict(zip(_titles(comparison), _cells(name, *scores), strict=True))
        for name, scores in rows.items()
    ]
    print_rows((prose("name", title), *_titles(comparison)), table)


def _titles(comparison: VersionComparison) -> list[str]:
    return [f"version {version}" for version in comparison.versions]


def _difference(item: tuple[str, Sequence[float | None]]) -> float:
    known = [score for score in item[1] if score is not None]
    return max(known) - min(known) if known else 0.0


def _cells(name: str, first: float | None, *others: float | None) -> list[Text]:
    return [_score(first), *(_delta(name, first, other) for other in others)]


def _score(value: float | None) -> Text:
    return Text("-" if value is None else f"{value:.4f}", justify="right")


def _delta(name: str, first: float | None, value: float | None) -> Text:
    if value is None or first is None:
        return _score(value)
    delta = value - first
    better = delta < 0 if name in _ERRORS else delta > 0
    colour = "dim" if delta == 0 else "green" if better else "red"
    return _score(value).append(f" {delta:+.4f}", style=colour)


def _remarks(comparison: VersionComparison) -> list[str]:
    remarks = [
        _said(comparison.same_training_set, "training", "trained"),
        _said(comparison.same_test_set, "test", "evaluated"),
    ]
    if not comparison.same_test_set:
        remarks.append(
            "  so nothing is said of which is better: evaluate each again, on the labels of now"
        )
    first, *others = comparison.versions
    for version, changes in zip(others, comparison.changes, strict=True):
        remarks += _made(first, version, changes)
    for found in comparison.differences:
        remarks += _against(first, found)
    return remarks


def _made(first: int, version: int, changes: ModelChanges) -> Iterator[str]:
    if changes.is_same_model:
        yield (
            f"[bold yellow]version {version} is the same model as version {first}[/], by its "
            "digest: what differs is when it was made"
        )
    before, after = changes.num_training_documents
    said = []
    if before is not None and after is not None and before != after:
        said.append(f"{before:,} training documents became {after:,}")
    if changes.num_labels_added:
        said.append(f"{changes.num_labels_added:,} training labels were added")
    if changes.num_labels_changed:
        said.append(f"{changes.num_labels_changed:,} were changed")
    if said:
        yield f"from version {first} to {version}: {', '.join(said)}"
    for library, (old, new) in changes.library_versions.items():
        yield f"from version {first} to {version}: {escape(library)} {show(old)}, now {show(new)}"


def _against(first: int, found: VersionDifference) -> Iterator[str]:
    low, high = found.accuracy.interval
    yield (
        f"version {found.version} against {first}: accuracy {_points(found.accuracy.value)} "
        f"points, on all such documents {_points(low)} to {_points(high)} (19 cases of 20; exact "
        f"McNemar test: p = {found.accuracy.p_value:.3g})"
    )
    yield f"  {_verdict(found)}"
    yield (
        f"  {found.only_this_right} test documents right where {first} is wrong, "
        f"{found.only_first_right} the other way round"
    )
    if (paired := found.comparison) is None:
        yield (
            "  F1 scores are compared once both are evaluated again: it was not kept what wrong "
            "documents were taken for"
        )
        return
    yield f"  macro F1 {_difference_of(paired.macro_f1)}"
    beyond = [each for each in paired.classes if each.p_value < _CHANCE]
    for each in sorted(beyond, key=lambda each: each.difference.value)[:_MOST_CLASSES]:
        yield f"  F1 of class {escape(show(each.name))} {_difference_of(each)}"
    if not beyond:
        yield "  of no class does F1 differ beyond chance (permutation test; Holm over classes)"
    for what, number, documents in (
        ("fixed", paired.num_fixed, paired.fixed),
        ("broken", paired.num_broken, paired.broken),
    ):
        if number:
            named = ", ".join(map(str, documents[:_NAMED_DOCUMENTS]))
            more = number - min(number, _NAMED_DOCUMENTS)
            yield f"  {what}: documents {named}" + (f" and {more:,} more" if more else "")


def _difference_of(figure: ComparedFigure) -> str:
    low, high = figure.difference.low, figure.difference.high
    return (
        f"{_points(figure.difference.value)} points, {_points(low)} to {_points(high)} "
        f"(p = {figure.p_value:.3g})"
    )


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _verdict(found: VersionDifference) -> str:
    if found.accuracy.p_value < _CHANCE:
        return "better beyond chance" if found.accuracy.value > 0 else "worse beyond chance"
    if found.documents_needed is None:
        return "no difference on these documents"
    return (
        "cannot tell which is better: about "
        f"{found.documents_needed:,} test documents would show such a difference"
    )


def _said(is_same: bool | None, kind: str, done: str) -> str:
    match is_same:
        case True:
            return f"all were {done} on the same {kind} set"
        case False:
            return f"they were {done} on different {kind} sets"
        case None:
            return f"it is not known of all of them on which {kind} set they were {done}"
