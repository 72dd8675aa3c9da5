"""Fitting the calibrator that suits what a classifier learned, and reading a stored one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lexiclass.calibration.base import Calibrator, Codes, Matrix
from lexiclass.calibration.evidence import MixedByEvidence
from lexiclass.calibration.evidence_fitting import Shortened, mix_by_evidence
from lexiclass.calibration.labels import LabelSigmoids
from lexiclass.calibration.pooled import PooledSigmoids
from lexiclass.calibration.previous import FlooredTemperature, Sigmoid, WeighedByEvidence
from lexiclass.calibration.temperature import Temperature
from lexiclass.errors import ModelCorrupt
from lexiclass.targets import Targets


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Documents:
    """Documents that the classifier whose scores these are was not trained on.

    Attributes:
        scores: (n, k) scores; with several classes a document single ones may be NaN.
        evidence: (n,) what the scores of each rest on; see
            :class:`~lexiclass.calibration.base.Calibrator`.
        targets: Their classes.
        shortened: Some of them, whole and cut short; ``None`` where nobody can cut.
        numbers: (n,) which of the training documents they are; ``None`` where nobody says.
        weights: (n,) what each counts; 1 if not given. Those that are the same, or nearly, count as
            one together: to a classifier that has seen none of them they are one question, and to
            the model that has seen them none at all.
    """

    scores: Matrix
    evidence: Matrix
    targets: Targets
    shortened: Shortened | None = None
    numbers: NDArray[np.intp] | None = None
    weights: Matrix | None = None

    @property
    def count(self) -> int:
        """How many a calibrator is fitted on: those that are the same, or nearly, are one."""
        told = self.evidence > 0
        if self.weights is None:
            return int(np.count_nonzero(told))
        return round(float(self.weights[told].sum()))


def calibrate(
    documents: Documents,
    frequencies: Matrix,
    shares: Matrix,
    *,
    unknown: Matrix | None = None,
    of_softmax: bool = False,
    weights: Matrix | None = None,
    keep_order: bool = False,
) -> Calibrator:
    """Fit the calibrator that suits the targets.

    Args:
        documents: That were not trained on.
        frequencies: (k,) number of documents with each class that were trained on.
        shares: (k,) the same as shares of all of them, above 0.
        unknown: (k,) shares that a document gets that says nothing; ``shares`` if not given.
        of_softmax: Whether scores are those of a softmax, and not margins of about 1.
        weights: (k,) what a document of each class counts in decisions; 1 if not given. Confidences
            are for documents as they are all the same.
        keep_order: Whether the class with the highest score must stay the most probable one, where
            its document rests on enough and has one class.
    """
    targets = documents.targets
    # What rests on nothing gets the classes' frequencies, whatever its scores are.
    told = documents.evidence > 0
    scores, codes = documents.scores[told], targets.strata[told]
    counts = None if documents.weights is None else documents.weights[told]
    freedom = None if targets.multi_label else _freedom(frequencies)
    # The threads of a linear algebra library wait for each other longer than they compute here.
    with threadpool_limits(1):
        base: Calibrator
        if targets.multi_label:
            base = LabelSigmoids.fit(scores, targets.members[told], counts)
        elif keep_order:
            base = Temperature.fit(scores, codes, counts)
        else:
            base = _pooled(scores, codes, counts, weights, freedom, of_softmax=of_softmax)
        return mix_by_evidence(
            base,
            shares,
            documents.evidence,
            documents.shortened,
            multi_label=targets.multi_label,
            freedom=freedom,
            unknown=unknown,
        )


def _freedom(frequencies: Matrix) -> Matrix:
    """Return (k,) how far a calibrator may go by what each class's own held-out documents say.

    To a classifier that lacks a document of a class of two, it is a class of one. Those that are
    classes of one to the model have no document that could be held out: they are never the answer
    then, and were thought not to be. But they are as often as what is a class of one for the sake
    of calibration (I. Good, "The Population Frequencies of Species and the Estimation of Population
    Parameters", Biometrika 40, 1953, from which it follows), so those of both kinds must be alike;
    and larger ones the more by themselves, the less a document is among theirs.
    """
    return np.asarray(1 - 2 / np.maximum(frequencies, 2))


def _pooled(
    scores: Matrix,
    codes: Codes,
    counts: Matrix | None,
    weights: Matrix | None,
    freedom: Matrix | None,
    *,
    of_softmax: bool,
) -> PooledSigmoids:
    if weights is None:
        return PooledSigmoids.fit(
            scores, codes, weights=counts, of_softmax=of_softmax, freedom=freedom
        )
    counts = np.ones(len(codes)) if counts is None else counts
    own = counts * weights[codes]
    # As many documents as there are: the priors count as much as without weights.
    own = own * (counts.sum() / own.sum()) if len(own) else own
    weighted = PooledSigmoids.fit(
        scores, codes, weights=own, of_softmax=of_softmax, freedom=freedom
    )
    return weighted.tempered(scores, codes, counts)


def load_calibrator(
    state: Mapping[str, Any], *, num_classes: int, multi_label: bool = False, file: str
) -> Calibrator:
    """Restore a calibrator from :meth:`Calibrator.state`.

    Raises:
        ModelCorrupt: If the state is not one.
    """
    try:
        found = _read(state, multi_label=multi_label)
        arrays = [
            getattr(part, name)
            for part in (found, getattr(found, "calibrator", None))
            for name in ("slopes", "offsets", "frequencies")
            if hasattr(part, name)
        ]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelCorrupt(file, f"not a calibrator ({error!r})") from error
    if any(array.shape != (num_classes,) for array in arrays):
        raise ModelCorrupt(file, f"not a calibrator for {num_classes} classes")
    return found


def _read(state: Mapping[str, Any], *, multi_label: bool) -> Calibrator:
    method = state["method"]
    for by_evidence in (MixedByEvidence, WeighedByEvidence):
        if method == by_evidence.method:
            calibrator = _read_plain(state["calibrator"], multi_label=multi_label)
            return by_evidence.from_state(state, calibrator, multi_label=multi_label)
    return _read_plain(state, multi_label=multi_label)


def _read_plain(state: Mapping[str, Any], *, multi_label: bool) -> Calibrator:
    readers: dict[str, Callable[[Mapping[str, Any]], Calibrator]]
    if multi_label:
        readers = {LabelSigmoids.method: LabelSigmoids.from_state}
    else:
        readers = {
            PooledSigmoids.method: PooledSigmoids.from_state,
            Temperature.method: Temperature.from_state,
            Sigmoid.method: Sigmoid.from_state,
            FlooredTemperature.method: FlooredTemperature.from_state,
        }
    if state["method"] not in readers:
        raise ValueError(f"method {state['method']!r}")
    return readers[state["method"]](state)
