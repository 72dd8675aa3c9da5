"""What is to be known of the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lexiclass.report.findings import codes
from lexiclass.report.findings.evidence import Evidence, finding
from lexiclass.report.findings.wording import counted, documents, short
from lexiclass.report.model import Finding
from lexiclass.report.suspects import suspected_labels

FEWEST_CALIBRATED: Final = 100
"""Documents that confidences should be fitted on."""

_BASELINE_NAMES: Final = {
    "majority_class": "always the most frequent class",
    "nearest_document": "the class of the most similar training document",
    "tfidf_linear": "a linear classifier of TF-IDF weights",
}
"""What baselines do, for people."""


def no_better(evidence: Evidence) -> Iterator[Finding]:
    """Simple ways that do as well."""
    for baseline in evidence.baselines:
        advantage, accuracy = baseline.advantage, baseline.accuracy
        if advantage is None or accuracy is None or advantage.low > 0:
            continue
        name = _BASELINE_NAMES[baseline.name]
        surely = advantage.high < 0
        yield finding(
            codes.NO_BETTER,
            "error" if surely or baseline.name == "majority_class" else "warning",
            f"{name[0].upper()}{name[1:]} reaches an accuracy of {accuracy.value:.3f} on the same "
            f"documents; the model is {'worse' if surely else 'not better beyond chance'} "
            f"(difference {advantage.value:+.3f}, {advantage.low:+.3f} to {advantage.high:+.3f}).",
            {
                "baseline": baseline.name,
                "accuracy": accuracy.value,
                "advantage": advantage.value,
                "advantage_low": advantage.low,
                "advantage_high": advantage.high,
            },
        )


def miscalibrated(evidence: Evidence) -> Iterator[Finding]:
    """A calibration error beyond what chance makes of it."""
    error = evidence.calibration.debiased_calibration_error
    over = evidence.calibration.over_confidence
    if error.value <= error.expected:
        return
    which = "are off in both directions"
    if over.low > 0:
        which = f"promise {over.value:.3f} more than is right"
    elif over.high < 0:
        which = f"promise {-over.value:.3f} less than is right"
    yield finding(
        codes.MISCALIBRATED,
        "warning",
        f"Confidences {which}: the calibration error is {error.value:.3f}, and chance alone would "
        f"make it {error.expected:.3f} at most.",
        {
            "calibration_error": error.value,
            "expected": error.expected,
            "over_confidence": over.value,
        },
    )


def few_calibrated(evidence: Evidence) -> Iterator[Finding]:
    """Confidences that were fitted on few documents."""
    number = evidence.model.num_calibration_documents
    if number is not None and number < FEWEST_CALIBRATED:
        yield finding(
            codes.FEW_CALIBRATED,
            "note",
            f"Confidences were fitted on {counted(number, 'document', 'different documents')}; "
            f"{FEWEST_CALIBRATED} would make them reliable.",
            {"num_calibration_documents": number},
        )


def worse_slices(evidence: Evidence) -> Iterator[Finding]:
    """Kinds of documents with a lower accuracy than the others, beyond chance."""
    for each in evidence.slices:
        if each.differs and each.accuracy.value < each.rest:
            yield finding(
                codes.WORSE_SLICE,
                "warning",
                f"{documents(each.num_documents)} with {short(each.by)} “{short(each.value)}” have "
                f"an accuracy of {each.accuracy.value:.3f} ({each.accuracy.low:.3f} to "
                f"{each.accuracy.high:.3f}), all others {each.rest:.3f}.",
                {
                    "by": each.by,
                    "value": each.value,
                    "accuracy": each.accuracy.value,
                    "rest": each.rest,
                    "p_value": each.p_value,
                },
                num_documents=each.num_documents,
            )


def doubtful_labels(evidence: Evidence) -> Iterator[Finding]:
    """Labels that another class fits better than."""
    rows = suspected_labels(evidence.outcomes)
    # Of classes that the model does not know the labels are not what is wrong.
    rows = rows[evidence.outcomes.true[rows] < evidence.outcomes.num_known]
    if not len(rows):
        return
    cap = 1 - len(rows) / len(evidence.outcomes)
    yield finding(
        codes.SUSPECTED_LABELS,
        "warning" if cap < 0.98 else "note",
        f"Of {documents(len(rows))} the model is surer of another class than it usually is of "
        f"documents that have that label. If all these labels were wrong, no model could reach "
        f"more than {cap:.3f} on this test set.",
        {"accuracy_cap": cap, "share": 1 - cap},
        evidence.named_documents(rows),
        len(rows),
    )
