"""What of many classes, pairs and points a page shows; the rest is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from lexiclass.report.comparison_model import ComparedClass
from lexiclass.report.model import Acceptance, ClassFigures, CoveragePoint, Report

Item = TypeVar("Item")

MOST_CLASSES: Final = 60
"""More are not looked through on a page; ``report.json`` has all."""

_WORST: Final = 40
_COVERAGE_ROWS: Final = 10


@dataclass(frozen=True, slots=True)
class Chosen(Generic[Item]):
    """Some of many things."""

    shown: Sequence[Item]
    num_others: int


def first(items: Sequence[Item], most: int) -> Chosen[Item]:
    """Choose the first, where they come in order of importance."""
    return Chosen(items[:most], max(0, len(items) - most))


def chosen_classes(classes: Sequence[ClassFigures]) -> Chosen[ClassFigures]:
    """Choose the worst and the most frequent; the worst first, those without figures last."""

    def badness(each: ClassFigures) -> tuple[bool, float, int, str]:
        return each.f1 is None, each.f1.value if each.f1 else 0.0, -each.support, each.name

    ranked = sorted(classes, key=badness)
    if len(ranked) <= MOST_CLASSES:
        return Chosen(ranked, 0)
    worst = [each for each in ranked if each.f1 is not None][:_WORST]
    names = {each.name for each in worst}
    frequent = sorted(
        (each for each in classes if each.name not in names),
        key=lambda each: (-each.support, each.name),
    )
    shown = [*worst, *frequent[: MOST_CLASSES - len(worst)]]
    return Chosen(sorted(shown, key=badness), len(classes) - len(shown))


def compared_classes(report: Report) -> Sequence[ComparedClass]:
    """Order classes by how sure it is that two models differ in them; not those of too few."""
    if report.comparison is None:
        return []
    too_few = {each.name for each in report.classes if each.too_few}
    return sorted(
        (each for each in report.comparison.classes if each.name not in too_few),
        key=lambda each: (each.p_value, -abs(each.difference.value), each.name),
    )


def coverage_rows(acceptance: Acceptance) -> Sequence[CoveragePoint]:
    """Choose a few points of the curve for a table, as evenly as they come."""
    curve = acceptance.curve
    if len(curve) <= _COVERAGE_ROWS:
        return curve
    wanted = [(index + 1) / _COVERAGE_ROWS for index in range(_COVERAGE_ROWS)]
    nearest = {
        min(range(len(curve)), key=lambda index: abs(curve[index].accepted - share))
        for share in wanted
    }
    return [curve[index] for index in sorted(nearest)]
