"""The figures at the top of a page, each with what it means in a few plain words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lexiclass.report.model import Baseline, Calibration, Report
from lexiclass.report.page import wording

BASELINES: Final = {
    "majority_class": "Always the most frequent class",
    "nearest_document": "The class of the most similar training document",
    "tfidf_linear": "TF-IDF and a linear classifier, same labels",
}
"""What baselines are called."""

#: Of the accuracy that people ask for first.
_TARGET: Final = 0.95


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure at the top."""

    label: str
    value: str
    note: str


def tiles(report: Report) -> Iterator[Tile]:
    """Yield them, the most important first."""
    accuracy, f1 = report.accuracy, report.macro_f1
    places = wording.decimals([accuracy])
    yield Tile(
        "Right",
        wording.percent(accuracy.value, places),
        f"of documents; between {wording.span(accuracy, places)} on all such documents",
    )
    yield _passing(report)
    yield _advantage(report.baselines)
    yield _trust(report.calibration)
    places = wording.decimals([f1])
    yield Tile(
        "Classes on average",
        wording.percent(f1.value, places),
        f"macro F1, {wording.span(f1, places)}: every class counts the same, however rare",
    )


def _passing(report: Report) -> Tile:
    label = "Pass without a look"
    thresholds = report.acceptance.thresholds
    if not thresholds:
        return Tile(label, wording.NOTHING, "was not computed")
    asked = min(thresholds, key=lambda each: abs(each.target - _TARGET))
    target = f"{100 * asked.target:g} %"
    if asked.threshold is None:
        return Tile(label, "None", f"at {target} right, nothing can be guaranteed yet")
    return Tile(
        label,
        wording.percent(asked.accepted, 0),
        f"of documents, with at least {target} of them right, guaranteed",
    )


def _advantage(baselines: list[Baseline]) -> Tile:
    label = "Over a simple way"
    measured = [
        (each.accuracy.value, each.advantage, each)
        for each in baselines
        if each.accuracy is not None and each.advantage is not None
    ]
    if not measured:
        return Tile(label, wording.NOTHING, "no baseline could be measured")
    _, advantage, best = max(measured, key=lambda each: each[0])
    places = wording.decimals([advantage])
    beyond = advantage.low > 0 or advantage.high < 0
    verdict = "beyond chance" if beyond else "may be chance"
    return Tile(
        label,
        f"{wording.points(advantage.value, places)} points",
        f"{_way(best)}; {verdict}",
    )


def _way(baseline: Baseline) -> str:
    name = BASELINES[baseline.name]
    return name if name.startswith("TF-IDF") else f"{name[0].lower()}{name[1:]}"


def _trust(calibration: Calibration) -> Tile:
    label = "Its confidence"
    error = calibration.debiased_calibration_error
    off = calibration.over_confidence
    if error.value <= error.expected:
        return Tile(label, "Honest", "off by no more than chance alone makes it")
    size = f"{wording.points(abs(off.value)).lstrip('+')} points"
    if off.low > 0:
        return Tile(label, "Too sure", f"says {size} more than is right, on average")
    if off.high < 0:
        return Tile(label, "Too modest", f"says {size} less than is right, on average")
    return Tile(label, "Uneven", "too sure for some documents and too modest for others")
