"""How many documents can go through without a look, and what that guarantees."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lexiclass.report.intervals import LEVEL, lower_bound
from lexiclass.report.model import AcceptanceThreshold, CoveragePoint

Column: TypeAlias = NDArray[np.float64]

TARGETS: Final = (0.90, 0.95, 0.98, 0.99)
"""Accuracies that are asked of documents that nobody looks at."""

#: Confidences that are tried, the strictest first. They are fixed before any document is seen.
THRESHOLDS: Final[Column] = np.append(
    1 - np.unique(np.geomspace(0.0001, 0.1, 61).round(4)), np.arange(89, -1, -1) / 100
)


# Shares of the documents that are accepted by the thresholds which testing starts from.
_STARTS: Final[Column] = np.array([0.0, 0.1, 0.4])

_CURVE_POINTS: Final = 100


def certify(confidence: Column, correct: NDArray[np.bool_], target: float) -> AcceptanceThreshold:
    """Find the largest share of documents whose accuracy is at least the target.

    Thresholds are tried in a fixed order, from a strict one down until one fails. Source:
    fixed-sequence testing, P. Bauer, Statistics in Medicine 10 (1991), with the exact bound of
    Clopper and Pearson, as in A. Angelopoulos et al., Learn then Test (2021). A wrong label or two
    among the surest documents would end it before it begins; so there are several starts, from
    shares of the documents that are fixed before, which have the level divided among them
    (Bonferroni's correction). Of all that is found so, the probability that any promises too much
    is at most 1 in 20. Thresholds with so few documents above them that even no mistake would
    prove nothing are not tried; which these are does not depend on mistakes.

    Args:
        confidence: (n,) probability of the predicted class.
        correct: (n,) whether the prediction was right.
        target: The accuracy that is asked for, in (0, 1).

    Returns:
        With None for a threshold if none can be promised.
    """
    order = np.argsort(-confidence, kind="stable")
    hits = np.append(0, np.cumsum(correct[order]))
    counts = np.searchsorted(-confidence[order], -THRESHOLDS, side="right")
    starts, each_level = _starts(counts, target)
    found = AcceptanceThreshold(target=target, threshold=None)
    for start in starts:
        for place in range(start, len(THRESHOLDS)):
            count = int(counts[place])
            bound = lower_bound(int(hits[count]), count, each_level)
            if bound < target:
                break
            if found.num_documents < count:
                found = AcceptanceThreshold(
                    target=target,
                    threshold=float(THRESHOLDS[place]),
                    accepted=count / len(confidence),
                    accuracy=float(hits[count] / count),
                    guaranteed=bound,
                    num_documents=count,
                )
    return found


def _starts(counts: NDArray[np.intp], target: float) -> tuple[list[int], float]:
    """Return the places of thresholds to start from, rising, and the level that each has."""
    for number in range(1, len(_STARTS) + 1):
        each_level = 1 - (1 - LEVEL) / number
        wanted = np.maximum(fewest_documents(target, each_level), _STARTS * counts[-1])
        places = np.unique(np.searchsorted(counts, wanted))
        starts = places[places < len(counts)].tolist()
        if len(starts) <= number:
            break
    return starts, each_level


def fewest_documents(target: float, level: float = LEVEL) -> int:
    """Of how many right documents, all of them, an accuracy can be guaranteed."""
    return int(np.ceil(np.log(1 - level) / np.log(target)))


def coverage_curve(confidence: Column, correct: NDArray[np.bool_]) -> list[CoveragePoint]:
    """Return the accuracy of the most confident documents for each share of them, rising to 1.

    Documents of equal confidence are accepted together.
    """
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    number = len(order)
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    wanted = np.searchsorted(last + 1, np.linspace(1, number, _CURVE_POINTS).astype(np.intp))
    chosen = last[np.unique(np.minimum(wanted, len(last) - 1))]
    accuracy = np.cumsum(correct[order])[chosen] / (chosen + 1)
    columns = ((chosen + 1) / number, accuracy, ranked[chosen])
    return [
        CoveragePoint(accepted=accepted, accuracy=right, threshold=threshold)
        for accepted, right, threshold in np.transpose(columns).tolist()
    ]
