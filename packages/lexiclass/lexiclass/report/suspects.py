"""Test documents whose labels look wrong, as far as the model's probabilities tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lexiclass.label_quality import ConfidentJoint, HeldOut, normalized_margins
from lexiclass.report.outcomes import Outcomes


def suspected_labels(outcomes: Outcomes) -> NDArray[np.intp]:
    """Return the rows of documents that another class fits better than their label does.

    By confident learning, as of documents that a training has held out; mostly it is the model that
    is wrong, where the model is not good. Of a document's classes the most probable ones are looked
    at that :class:`~lexiclass.report.outcomes.Outcomes` keeps.

    Returns:
        Those first whose label's probability is the furthest below that of the best other class.
    """
    held_out = HeldOut(
        numbers=np.arange(len(outcomes), dtype=np.int64),
        own=outcomes.of_truth.astype(np.float32),
        classes=outcomes.highest,
        probabilities=outcomes.probabilities.astype(np.float32),
    )
    joint = ConfidentJoint.of(held_out, outcomes.true, len(outcomes.classes))
    margins = normalized_margins(held_out, outcomes.true)
    found = np.flatnonzero(joint.is_suspect & (margins > 0.5))
    return np.asarray(found[np.argsort(-margins[found], kind="stable")])
