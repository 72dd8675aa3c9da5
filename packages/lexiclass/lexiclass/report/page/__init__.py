"""A report as one HTML file that opens in any browser, without a network and without a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from lexiclass.report.model import Estimate, Report
from lexiclass.report.page import confusion_chart as confusion
from lexiclass.report.page import marks
from lexiclass.report.page.axes import Span
from lexiclass.report.page.coverage_chart import coverage_chart
from lexiclass.report.page.environment import environment, policy, style
from lexiclass.report.page.marks import Scale
from lexiclass.report.page.names import PROSE_WIDTH, cleaned
from lexiclass.report.page.reliability_chart import is_outside, reliability_chart
from lexiclass.report.page.selection import chosen_classes, compared_classes, coverage_rows, first
from lexiclass.report.page.summary import BASELINES, tiles
from lexiclass.report.page.svg import Element

_MOST_ROWS: Final = 24
_MOST_SLICES: Final = 40
_MOST_FINDINGS: Final = 40
_MOST_MISTAKES: Final = 40
_MOST_DOCUMENTS: Final = 20
_MOST_LINES: Final = 200


def render(report: Report) -> str:
    """Write a report as HTML.

    The file is whole in itself: it asks for nothing, runs nothing, and says so to the browser in a
    content security policy. Names and texts are escaped, cleaned of control characters, isolated in
    their direction of writing, and shortened. Its size does not grow with the number of documents,
    and with that of classes only up to some dozens; the rest is counted, and is in ``report.json``.
    """
    sheet = style()
    page = environment().get_template("page.html")
    return page.render(
        report=report,
        style=sheet,
        policy=policy(sheet),
        tiles=list(tiles(report)),
        baselines=BASELINES,
        findings=first(report.findings, _MOST_FINDINGS),
        most_documents=_MOST_DOCUMENTS,
        classes=chosen_classes(report.classes),
        confusions=first(report.confusions, _MOST_ROWS),
        acceptance_classes=first(report.acceptance.classes, _MOST_ROWS),
        coverage_rows=coverage_rows(report.acceptance),
        calibration_classes=first(report.calibration.classes, _MOST_ROWS),
        slices=first(report.slices, _MOST_SLICES),
        compared_classes=first(compared_classes(report), _MOST_ROWS),
        mistakes=first(report.mistakes, _MOST_MISTAKES),
        pipeline="\n".join(_lines(report.model.spec)),
        is_outside=is_outside,
        bar=marks.bar,
        **_charts(report),
        **_scales(report),
    )


def _lines(spec: dict[str, Any]) -> Iterator[str]:
    """Write a specification, cleaned as names are and as long as people read it."""
    lines = json.dumps(spec, indent=2, sort_keys=True, ensure_ascii=False).split("\n")
    for line in lines[:_MOST_LINES]:
        content = line.lstrip(" ")
        yield " " * min(len(line) - len(content), 40) + cleaned(content, PROSE_WIDTH)
    if len(lines) > _MOST_LINES:
        yield "…"


def _charts(report: Report) -> dict[str, Element | None]:
    drawable = 1 < len(report.classes) <= confusion.MOST_CLASSES
    return {
        "reliability": reliability_chart(report.calibration.curve)
        if report.calibration.curve
        else None,
        "coverage": coverage_chart(report.acceptance) if report.acceptance.curve else None,
        "heat_map": confusion.confusion_chart(report.classes, report.confusions)
        if drawable
        else None,
    }


def _differences(report: Report) -> list[Estimate]:
    compared = report.comparison
    if compared is None:
        return []
    shown = [compared.accuracy, compared.macro_f1, *compared_classes(report)[:_MOST_ROWS]]
    return [each.difference for each in shown]


def _scales(report: Report) -> dict[str, Any]:
    """Return the axes of tables, which the rows of each share."""
    accuracy = report.accuracy
    return {
        "class_scale": Scale.of([each.f1 for each in report.classes]),
        "baseline_scale": Scale.of([accuracy, *(each.accuracy for each in report.baselines)]),
        "calibration_scale": Scale(Span.of(0)),
        "difference_scale": Scale.of_differences(_differences(report)),
        "slice_scale": Scale.of(
            [accuracy, *(each.accuracy for each in report.slices)], accuracy.value
        ),
    }
