"""A report in two sentences, for people who are no statisticians."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lexiclass.report.model import Acceptance, Calibration, Estimate, EvaluationSet, Finding

# Share of the documents from which on a stricter accuracy is spoken of before a laxer one.
_WORTHWHILE: Final = 0.2


def verdict_of(
    accuracy: Estimate,
    test_set: EvaluationSet,
    calibration: Calibration,
    acceptance: Acceptance,
    findings: Sequence[Finding],
) -> str:
    """Say what the figures mean for who has documents to be sorted.

    Of the findings, the gravest first, what makes the figures worthless is said instead.
    """
    if findings and findings[0].level == "error":
        title = findings[0].title
        second = f"Do not rely on that yet: {title[0].lower()}{title[1:]} ({findings[0].code})."
    else:
        second = _what_to_do(calibration, acceptance)
    return f"{_how_many(accuracy, test_set)} {second}"


def _how_many(accuracy: Estimate, test_set: EvaluationSet) -> str:
    number = test_set.num_documents
    right = round(accuracy.value * number)
    documents = "test document is" if number == 1 else "test documents are"
    return (
        f"{right:,} of {number:,} {documents} sorted right, and of all documents like these it is "
        f"between {_percent(accuracy.low)} and {_percent(accuracy.high)}."
    )


def _what_to_do(calibration: Calibration, acceptance: Acceptance) -> str:
    certified = [each for each in acceptance.thresholds if each.threshold is not None]
    if certified:
        worthwhile = [each for each in certified if each.accepted >= _WORTHWHILE]
        found = worthwhile[-1] if worthwhile else certified[0]
        return (
            f"{_percent(found.accepted)} of the documents can go through without a look, those "
            f"with a confidence of at least {found.threshold:.4g}: at least "
            f"{_percent(found.target)} of them are sorted right."
        )
    error = calibration.debiased_calibration_error
    if error.value > error.expected:
        return (
            "None can go through without a look: too few are right, and the model's confidences "
            "do not say which."
        )
    return "None can go through without a look: too few are right, or there are too few to tell."


def _percent(share: float) -> str:
    """A share as people say it; only what is all or nothing is 100 % or 0 %."""
    percent = 100 * share
    if 99.9 <= percent < 100:
        return "99.9 %"
    return f"{percent:.3g} %"
