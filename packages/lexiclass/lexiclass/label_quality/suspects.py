"""The labels that look wrong, the most suspect first, each with its reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexiclass.label_quality.alike import conflicts
from lexiclass.label_quality.confident_learning import ConfidentJoint, normalized_margins
from lexiclass.label_quality.training_evidence import TrainingEvidence

#: Suspects that are listed unless said otherwise: more than somebody looks at before training
#: again.
MOST_SUSPECTS: Final = 1_000

# Documents that a reason names.
_NEIGHBOURS: Final = 5


class Reason(StrEnum):
    """Why a label is suspected."""

    CONFIDENT_LEARNING = "confident_learning"
    EQUAL_TEXT = "equal_text"
    NEAR_DUPLICATE = "near_duplicate"


class Neighbour(NamedTuple):
    """A document that is like the suspect."""

    document: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A document whose label looks wrong.

    Attributes:
        document: Its id.
        label: The class it is labelled with.
        suggested: The class that fits better.
        score: How suspect it is, in [0, 1]: the larger of the normalized margin, where classifiers
            were asked, and of the share of the documents alike that are labelled otherwise.
        reasons: Why, at least one.
        label_probability: Of the label, from a classifier that has not seen the document; None
            where none was asked.
        suggested_probability: Of the better class, likewise; None where it was not kept either.
        neighbours: Some of the documents alike that have another label, the same texts first.
        num_neighbours: How many there are.
    """

    document: int
    label: str
    suggested: str
    score: float
    reasons: tuple[Reason, ...]
    label_probability: float | None
    suggested_probability: float | None
    neighbours: tuple[Neighbour, ...]
    num_neighbours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectReport:
    """What was found among the training documents.

    Attributes:
        num_documents: How many there are.
        num_held_out: Of how many a classifier says something that has not seen them: of the others
            only those that are like others can be suspects.
        num_wrong: How many labels of those held out are wrong, as confident learning estimates.
        num_suspects: How many look wrong.
        suspects: The most suspect of these, the first first.
    """

    num_documents: int
    num_held_out: int
    num_wrong: float
    num_suspects: int
    suspects: list[Suspect]


def find_suspects(
    evidence: TrainingEvidence, classes: Sequence[str], *, most: int = MOST_SUSPECTS
) -> SuspectReport:
    """Find the training labels that look wrong."""
    found = _Found.of(evidence, len(classes))
    # By place where equally suspect: the same every time.
    order = np.argsort(-found.scores, kind="stable")[:most]
    return SuspectReport(
        num_documents=len(evidence.documents),
        num_held_out=len(evidence.held_out),
        num_wrong=found.num_wrong,
        num_suspects=len(found.rows),
        suspects=list(_described(evidence, classes, found, order)),
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Found:
    """Suspects: (s,) rows of the evidence, better classes and scores, and (s, 3) reasons."""

    rows: NDArray[np.intp]
    better: NDArray[np.int32]
    scores: NDArray[np.float64]
    reasons: NDArray[np.bool_]
    num_wrong: float

    @classmethod
    def of(cls, evidence: TrainingEvidence, num_classes: int) -> _Found:
        n, held_out, labels = len(evidence.documents), evidence.held_out, evidence.labels
        better = np.full(n, -1, dtype=np.int32)
        scores = np.zeros(n)
        reasons = np.zeros((n, len(Reason)), dtype=np.bool_)
        belief = np.zeros(n)
        belief[held_out.numbers] = held_out.own
        # The last one that speaks has the last word on the better class.
        for column, groups in ((2, evidence.doubles), (1, evidence.copies)):
            alike = conflicts(groups, labels, belief)
            better[alike.rows] = alike.better
            scores[alike.rows] = np.maximum(scores[alike.rows], alike.scores)
            reasons[alike.rows, column] = True
        given = labels[held_out.numbers]
        joint = ConfidentJoint.of(held_out, given, num_classes)
        suspect = joint.is_suspect
        rows = held_out.numbers[suspect]
        better[rows] = joint.believed[suspect]
        margins = normalized_margins(held_out, given)[suspect]
        scores[rows] = np.maximum(scores[rows], margins)
        reasons[rows, 0] = True
        # What is the same text is a near-duplicate as well: said once.
        reasons[:, 2] &= ~reasons[:, 1]
        some = np.flatnonzero(reasons.any(axis=1))
        return cls(
            rows=some,
            better=better[some],
            scores=scores[some],
            reasons=reasons[some],
            num_wrong=joint.num_wrong(),
        )


def _described(
    evidence: TrainingEvidence, classes: Sequence[str], found: _Found, order: NDArray[np.intp]
) -> Iterator[Suspect]:
    held_out = evidence.held_out
    alike = [_Members.of(groups) for groups in (evidence.copies, evidence.doubles)]
    for row, better, score, flags in zip(
        found.rows[order].tolist(),
        found.better[order].tolist(),
        found.scores[order].tolist(),
        found.reasons[order].tolist(),
        strict=True,
    ):
        others = dict.fromkeys(
            int(other)
            for members in alike
            for other in members.with_(row)
            if evidence.labels[other] != evidence.labels[row]
        )
        place = int(np.searchsorted(held_out.numbers, row))
        is_held_out = place < len(held_out) and held_out.numbers[place] == row
        neighbours = (
            Neighbour(int(evidence.documents[other]), classes[evidence.labels[other]])
            for other in list(others)[:_NEIGHBOURS]
        )
        yield Suspect(
            document=int(evidence.documents[row]),
            label=classes[evidence.labels[row]],
            suggested=classes[better],
            score=score,
            reasons=tuple(reason for reason, flag in zip(Reason, flags, strict=True) if flag),
            label_probability=float(held_out.own[place]) if is_held_out else None,
            suggested_probability=_probability(evidence, place, better) if is_held_out else None,
            neighbours=tuple(neighbours),
            num_neighbours=len(others),
        )


def _probability(evidence: TrainingEvidence, place: int, column: int) -> float | None:
    held_out = evidence.held_out
    found = np.flatnonzero(held_out.classes[place] == column)
    return float(held_out.probabilities[place, found[0]]) if len(found) else None


@dataclass(frozen=True, slots=True, eq=False)
class _Members:
    """Rows by the group they are in."""

    groups: NDArray[np.int32]
    order: NDArray[np.intp]
    sorted: NDArray[np.int32]

    @classmethod
    def of(cls, groups: NDArray[np.int32]) -> _Members:
        order = np.argsort(groups, kind="stable")
        return cls(groups, order, groups[order])

    def with_(self, row: int) -> NDArray[np.intp]:
        """Return the rows of a row's group; none of a row in none."""
        group = self.groups[row]
        if group < 0:
            return self.order[:0]
        start, end = np.searchsorted(self.sorted, (group, group + 1))
        return self.order[start:end]
