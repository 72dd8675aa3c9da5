"""Which machines a model is made and calibrated by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from lexiclass.folds import Keys
from lexiclass.plugins.classifiers.out_of_fold import Machine
from lexiclass.plugins.classifiers.svm.parameters import SvmParameters
from lexiclass.targets import Targets

# Held-out documents, of all classes and of each, that fix a calibrator well enough: a fold more
# would cost a training and change confidences in the third decimal.
_CALIBRATION_DOCUMENTS = 3_000
_CALIBRATION_DOCUMENTS_PER_CLASS = 10

# Folds of corpora up to a size, and of larger ones. A machine that lacks a third of a hundred
# documents is much worse than the one whose confidences are wanted; one that lacks a tenth is
# nearly as good. Of many documents a third is no loss, and the fewest machines score enough.
_FOLDS_UP_TO, _FOLDS_OF_MANY = {1_000: 10, 5_000: 5}, 3

# Two classes are often hard to tell apart: a third of their documents is a loss for longer, and one
# machine for both costs little. Of very many one fold is enough, trained beside the model itself.
_FOLDS_OF_PAIRS, _PAIRS_UP_TO = 10, 10_000


def list_machines(targets: Targets, keys: Keys, parameters: SvmParameters) -> list[Machine]:
    """List what to train: a machine per class, and again without each fold that is needed.

    Where documents have several classes, all machines of a fold lack the same documents, so that
    their rows are learned and scaled once.
    """
    whole = list(_of_model(targets, parameters))
    if parameters.calibration == "none":
        return whole
    num_folds = _num_folds(targets, parameters)
    # Dealt out by what the documents are: another seed need not move confidences.
    if targets.multi_label:
        folds = targets.dealt_folds(num_folds, 0, keys)
        codes = [machine.members.astype(np.intp) for machine in whole]
        needed = [_num_needed(of_machine, num_folds, parameters) for of_machine in codes]
    else:
        folds = targets.folds(num_folds, 0, keys)
        needed = [_num_needed(targets.strata, num_folds, parameters)] * len(whole)
    listed = whole.copy()
    for number, fold in enumerate(np.unique(folds[folds >= 0])):
        rows = np.flatnonzero(folds == fold)
        listed += [
            replace(machine, held_out=rows, fold=number)
            for machine, num_needed in zip(whole, needed, strict=True)
            if number < num_needed and (not targets.multi_label or _is_left(machine, folds != fold))
        ]
    return listed


def _of_model(targets: Targets, parameters: SvmParameters) -> Iterator[Machine]:
    weights = targets.weights(parameters.class_weight)
    weights = np.ones((2, len(targets.classes))) if weights is None else weights
    if not targets.multi_label:
        weights[0] = 1  # each class against the rest, which weighs as it is
    # Of two classes one machine says both: it is for the one, against the other.
    is_pair = _is_pair(targets)
    for column, members in enumerate(targets.members.T):
        if is_pair and column == 0:
            continue
        yield Machine(
            columns=[0, 1] if is_pair else [column],
            signs=np.array([-1.0, 1.0] if is_pair else [1.0], dtype=np.float32),
            members=members,
            weights=(weights[1, 0] if is_pair else weights[0, column], weights[1, column]),
        )


def _is_left(machine: Machine, kept: NDArray[np.bool_]) -> bool:
    """Tell whether the documents kept have what all have: some of the class, some not, or both."""
    return len(np.unique(machine.members[kept])) == len(np.unique(machine.members))


def _num_needed(codes: NDArray[np.intp], num_folds: int, parameters: SvmParameters) -> int:
    """Return how many folds of documents with (n,) codes hold out enough."""
    if parameters.held_out == "all":
        return num_folds
    sizes = np.bincount(codes)
    share = max(
        _CALIBRATION_DOCUMENTS / len(codes),
        _CALIBRATION_DOCUMENTS_PER_CLASS / sizes[sizes > 0].min(),
    )
    return ceil(min(float(share), 1.0) * num_folds)


def _num_folds(targets: Targets, parameters: SvmParameters) -> int:
    if parameters.calibration_folds is not None:
        return parameters.calibration_folds
    num_documents = len(targets)
    if _is_pair(targets):
        if num_documents <= _PAIRS_UP_TO:
            return _FOLDS_OF_PAIRS
        return min(_FOLDS_OF_PAIRS, num_documents // _CALIBRATION_DOCUMENTS)
    return next(
        (folds for most, folds in _FOLDS_UP_TO.items() if num_documents <= most), _FOLDS_OF_MANY
    )


def _is_pair(targets: Targets) -> bool:
    return len(targets.classes) == 2 and not targets.multi_label
