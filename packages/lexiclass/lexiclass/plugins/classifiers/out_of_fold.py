"""Margins of documents that the machine at hand knows nothing of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import repeat
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from lexiclass.calibration import Documents, Matrix, Shortened
from lexiclass.folds import Keys, mixed
from lexiclass.near_duplicates import shares_of_groups
from lexiclass.plugins.features.rows import evidence
from lexiclass.plugins.training_rows import TrainingRows
from lexiclass.rows import Rows
from lexiclass.targets import Targets

#: Scales rows as a classifier reads them.
Scaling = TypeVar("Scaling", bound=Callable[[Rows], Rows])

#: First words that documents are cut to, to learn what a few words are worth.
CUTS = (1, 3, 10, 30)

# Scores that are kept at most: 160 MB, and as much again for those of shortened documents.
_MOST_SCORES = 20_000_000
_FEWEST_DOCUMENTS = 3_000
_SHORTENED_DOCUMENTS = 1_000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Machine:
    """One class against the rest.

    Attributes:
        columns: The classes it is for.
        signs: What its margin is times, for each of them.
        members: (n,) whether a document has the class.
        weights: What documents without and with it weigh.
        held_out: Rows that it is not trained on; none for a machine of the model itself.
        fold: Number of these rows.
    """

    columns: list[int]
    signs: NDArray[np.float32]
    members: NDArray[np.bool_]
    weights: tuple[float, float]
    held_out: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    fold: int | None = None


def num_scored(num_documents: int, num_classes: int) -> tuple[int, int]:
    """Return how many documents are scored at most, and how many of these cut short as well."""
    most = max(_FEWEST_DOCUMENTS, _MOST_SCORES // num_classes)
    most_cut = min(_SHORTENED_DOCUMENTS, _MOST_SCORES // (len(CUTS) * num_classes))
    return min(num_documents, most), min(num_documents, most_cut)


#: Called with rows of documents and (n,) which of the training documents these are: returns what
#: scales rows by what these documents teach.
LearnScaling: TypeAlias = Callable[[Rows, NDArray[np.bool_]], Scaling]


class Fold(Generic[Scaling]):
    """The training documents, seen without some of them."""

    def __init__(
        self, training: TrainingRows, held_out: NDArray[np.intp], learn: LearnScaling[Scaling]
    ) -> None:
        self._training = training
        self._learn = learn
        self._scaling: Scaling | None = None
        self._kept = _without(held_out, training.rows.shape[0])

    @cached_property
    def inside(self) -> Rows:
        """Rows of the documents that are there, in double precision."""
        rows = self._rows()
        if self._scaling is None:
            self._scaling = self._learn(rows, self._kept)
        return self._scaling(rows).astype(np.float64)  # what liblinear computes in

    @property
    def scaling(self) -> Scaling:
        """How rows are scaled, by what these documents teach."""
        if self._scaling is None:
            self._scaling = self._learn(self._rows(), self._kept)
        return self._scaling

    def members(self, machine: Machine) -> NDArray[np.bool_]:
        """Which of these documents have the machine's class."""
        return machine.members[self._kept]

    def _rows(self) -> Rows:
        """Return these documents as the feature extractor would give them."""
        rows: Rows = self._training.rows
        if not self._kept.all():
            rows = self._training.relearned(self._kept)(rows[self._kept])
        return rows


class Scored(NamedTuple):
    """Documents that the classifier whose scores these are was not trained on.

    Attributes:
        scores: (m, k) scores.
        evidence: (m,) what they rest on.
        numbers: (m,) which of the training documents they are.
    """

    scores: Matrix
    evidence: Matrix
    numbers: NDArray[np.intp]


def joined(
    targets: Targets, keys: Keys, whole: Sequence[Scored], cut: Sequence[Scored]
) -> Documents:
    """Return what a calibrator is fitted on: documents whole, and cut to their first words.

    Those with the same key count as one together.
    """
    weights = shares_of_groups(keys)
    scores, evidences, numbers = _joined(whole, len(targets.classes))
    shortened = None
    if any(len(part.numbers) for part in cut):
        # With several classes all documents may be scored: too many to have twice.
        uncut = map(_among(cut), whole) if targets.multi_label else whole
        all_scores, all_evidences, all_numbers = _joined((*uncut, *cut), len(targets.classes))
        shortened = Shortened(
            all_scores, all_evidences, targets.members[all_numbers], weights[all_numbers]
        )
    return Documents(
        scores=scores,
        evidence=evidences,
        targets=targets.take(numbers),
        shortened=shortened,
        numbers=numbers,
        weights=weights[numbers],
    )


def _among(chosen: Sequence[Scored]) -> Callable[[Scored], Scored]:
    """Return what leaves of documents those that are among others, too."""
    numbers = np.unique(np.concatenate([part.numbers for part in chosen]))

    def take(part: Scored) -> Scored:
        rows = np.isin(part.numbers, numbers)
        return Scored(part.scores[rows], part.evidence[rows], part.numbers[rows])

    return take


def _joined(parts: Sequence[Scored], num_classes: int) -> Scored:
    none = Scored(np.empty((0, num_classes)), np.empty(0), np.empty(0, dtype=np.intp))
    return Scored(*map(np.concatenate, zip(none, *parts, strict=True)))


class Folds(Generic[Scaling]):
    """Makes the views that machines are trained on, and keeps the last."""

    def __init__(self, training: TrainingRows, learn: LearnScaling[Scaling]) -> None:
        self._training = training
        self._learn = learn
        self._last: tuple[int | None, Fold[Scaling]] | None = None

    def of(self, machine: Machine) -> Fold[Scaling]:
        """Return what a machine may see."""
        if self._last is None or self._last[0] != machine.fold:
            fold = Fold(self._training, machine.held_out, self._learn)
            self._last = (machine.fold, fold)
        return self._last[1]


class _Asked(NamedTuple):
    """What the machines of a fold are asked about: rows, and where their margins go."""

    rows: Rows
    places: NDArray[np.intp]
    scores: Matrix


class OutOfFoldScores(Generic[Scaling]):
    """Collects the margins that a calibrator is fitted on.

    All machines of a fold are asked one after the other. Of very many documents some are taken, by
    their (n,) keys.
    """

    def __init__(
        self,
        training: TrainingRows,
        targets: Targets,
        machines: Sequence[Machine],
        keys: Keys,
    ) -> None:
        self._training, self._targets, self._keys = training, targets, keys
        k = len(targets.classes)
        none = np.empty(0, dtype=np.intp)
        held_out = np.unique(np.concatenate([none, *(machine.held_out for machine in machines)]))
        by_chance = held_out[np.argsort(mixed(keys[held_out]), kind="stable")]
        most, most_cut = num_scored(len(targets), k)
        # With several classes a document, those of rare ones are needed, wherever they are.
        self._rows = by_chance if targets.multi_label else by_chance[:most]
        self._scores = np.full((len(self._rows), k), np.nan)
        self._evidence = np.zeros(len(self._rows))
        self._cut_rows = self._rows[: 0 if training.shortened is None else most_cut]
        self._cut_scores = np.full((len(CUTS), len(self._cut_rows), k), np.nan)
        self._cut_evidence = np.zeros((len(CUTS), len(self._cut_rows)))
        self._last: tuple[int | None, list[_Asked]] | None = None

    def add(
        self, machine: Machine, weights: NDArray[np.float32], intercept: float, scaling: Scaling
    ) -> None:
        """Ask a machine, of (m,) weights, about the documents it was not trained on."""
        if self._last is None or self._last[0] != machine.fold:
            self._last = (machine.fold, list(self._questions(machine, scaling)))
        for rows, places, scores in self._last[1]:
            margins = rows @ weights + intercept
            scores[places[:, np.newaxis], machine.columns] = margins[:, np.newaxis] * machine.signs

    def documents(self) -> Documents:
        """Return what was collected."""
        whole = Scored(self._scores, self._evidence, self._rows)
        cut = map(Scored, self._cut_scores, self._cut_evidence, repeat(self._cut_rows))
        return joined(self._targets, self._keys, [whole], list(cut))

    @cached_property
    def _shortened(self) -> list[Rows]:
        """Rows of the documents that are cut, for each number of words."""
        if self._training.shortened is None:
            return []
        return [self._training.shortened(self._cut_rows, words) for words in CUTS]

    def _questions(self, machine: Machine, scaling: Scaling) -> Iterator[_Asked]:
        relearned = self._training.relearned(_without(machine.held_out, len(self._targets)))
        places = np.flatnonzero(np.isin(self._rows, machine.held_out))
        rows = scaling(relearned(self._training.rows[self._rows[places]]))
        self._evidence[places] = evidence(rows)
        yield _Asked(rows, places, self._scores)
        cut = places[places < len(self._cut_rows)]
        if not len(cut):
            return
        for short, scores, found in zip(
            self._shortened, self._cut_scores, self._cut_evidence, strict=True
        ):
            rows = scaling(relearned(short[cut]))
            found[cut] = evidence(rows)
            yield _Asked(rows, cut, scores)


def _without(held_out: NDArray[np.intp], num_documents: int) -> NDArray[np.bool_]:
    """Return (n,) which documents are there."""
    kept = np.ones(num_documents, dtype=np.bool_)
    kept[held_out] = False
    return kept
