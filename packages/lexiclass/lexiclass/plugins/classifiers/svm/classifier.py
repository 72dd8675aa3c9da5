"""Linear support vector machine with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import ModelCorrupt
from lexiclass.folds import Keys, stratified_folds
from lexiclass.labels import Labels
from lexiclass.plugins.base import PluginContext, PluginProgress
from lexiclass.plugins.classifiers.calibrated import CalibratedClassifier, RowClassifier
from lexiclass.plugins.classifiers.out_of_fold import Fold, Folds, Machine, OutOfFoldScores
from lexiclass.plugins.classifiers.svm.parameters import SvmParameters
from lexiclass.plugins.classifiers.svm.term_weighting import RowScaling
from lexiclass.plugins.features.rows import evidence, require_finite
from lexiclass.plugins.training_rows import TrainingRows
from lexiclass.processes import forked_map
from lexiclass.rows import Rows
from lexiclass.serialization import read_arrays, write_arrays
from lexiclass.targets import Targets

# Held-out documents, of all classes and of each, that fix a calibrator well enough: a fold more
# would cost a training and change confidences in the third decimal.
_CALIBRATION_DOCUMENTS = 3_000
_CALIBRATION_DOCUMENTS_PER_CLASS = 10

# Folds of corpora up to a size, and of larger ones. A machine that lacks a third of a hundred
# documents is much worse than the one whose confidences are wanted; one that lacks a tenth is
# nearly as good. Of many documents a third is no loss, and the fewest machines score enough.
_FOLDS_UP_TO, _FOLDS_OF_MANY = {1_000: 10, 5_000: 5}, 3

# Values that all machines together read in a pass: some tenths of a second of training, below
# which starting processes takes as long as they save.
_WORTH_A_PROCESS = 5_000_000


_ARRAYS = {"weights": (np.float32, 2), "intercepts": (np.float32, 1)}


class SvmClassifier(RowClassifier, CalibratedClassifier):
    """One linear support vector machine per class against the rest.

    Features that speak for a class count more than others (``term_weighting``), by what the
    documents at hand say: of a machine that lacks a fold, those of that fold have no say.

    With several classes a document, each class is a problem of its own, with folds of its own.

    Confidences come from a calibrator fitted on the margins of documents that the machine at hand
    was not trained on, in rows that know nothing of them either, and that have no near double among
    those it was trained on. Each fold that gives such margins costs about another training; small
    corpora take all folds, large ones as many as are needed. Where no class has two documents there
    are no such margins, and the calibrator is where its priors put it.
    """

    def __init__(self, parameters: SvmParameters, context: PluginContext) -> None:
        super().__init__(multi_label=context.multi_label)
        self._parameters = parameters
        self._seed = context.seed
        self._num_processes = context.num_processes
        self._weights: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._intercepts: NDArray[np.float32] = np.empty(0, np.float32)
        self._scaling = RowScaling(None, parameters.normalize)

    def fit(
        self, training: TrainingRows, labels: Labels, *, progress: PluginProgress | None = None
    ) -> None:
        """Train on (n, num_features) rows and calibrate; a step of progress is one machine.

        Raises:
            InvalidParameters: If ``class_weight`` names an unknown class, or a row is not finite.
            NotEnoughDocuments: With fewer than 2 documents or classes.
        """
        require_finite(training.rows)
        targets = Targets.encode(labels, multi_label=self._multi_label)
        self.classes = targets.classes
        keys = training.keys
        machines = self._machines(targets, keys)
        # Documents without a class are a group of their own, for which words speak as for others.
        groups = np.column_stack((targets.members, ~targets.members.any(axis=1)))
        folds = Folds(training, partial(self._learn_scaling, sparse.csr_array(groups)))
        self._scaling = folds.of(machines[0]).scaling
        scores: OutOfFoldScores[RowScaling] = OutOfFoldScores(training, targets, machines, keys)
        tell = _counter(progress, len(machines))
        # Row-major by feature: the layout the sparse product reads.
        self._weights = np.zeros((training.rows.shape[1], len(self.classes)), np.float32)
        self._intercepts = np.zeros(len(self.classes), np.float32)
        rows = training.rows
        size = rows.nnz if isinstance(rows, sparse.csr_array) else rows.size
        is_large = size * len(machines) >= _WORTH_A_PROCESS
        fitted = forked_map(
            lambda machine: (*self._fit(folds.of(machine), machine), folds.of(machine).scaling),
            machines,
            num_processes=self._num_processes if is_large else 1,
        )
        for machine, (weights, intercept, scaling) in zip(machines, fitted, strict=True):
            if machine.fold is None:
                self._weights[:, machine.columns] = weights[:, np.newaxis] * machine.signs
                self._intercepts[machine.columns] = intercept * machine.signs
            else:
                scores.add(machine, weights, intercept, scaling)
            tell()
        self._calibrate(
            scores.documents(),
            targets,
            self._parameters.class_weight,
            keep_order=self._parameters.calibration == "temperature",
        )

    def margins(self, features: Rows) -> NDArray[np.float64]:
        """Return (n, num_classes) signed distances from the separating planes, unscaled."""
        margins = self._scaling(features) @ self._weights + self._intercepts
        return np.asarray(margins, dtype=np.float64)

    def predict_proba(self, features: Rows) -> NDArray[np.float64]:
        """Return (n, num_classes) calibrated probabilities."""
        return self._calibrator(self.margins(features), evidence(features))

    def contrast(
        self, features: Rows, given: NDArray[np.integer], better: NDArray[np.integer]
    ) -> sparse.csr_array | None:
        """Return (n, num_features) what each feature adds to the margin of a class over another."""
        if not isinstance(features, sparse.csr_array):
            return None
        added = sparse.coo_array(self._scaling(features))
        for_better = self._weights[added.col, better[added.row]]
        added.data = added.data * (for_better - self._weights[added.col, given[added.row]])
        return sparse.csr_array(added)

    def save(self, directory: Path) -> None:
        """Write classes, calibrator and planes."""
        self._save_calibrator(directory)
        arrays = {"weights": self._weights, "intercepts": self._intercepts}
        if self._scaling.weights is not None:
            arrays["term_weights"] = self._scaling.weights
        write_arrays(directory / "planes.safetensors", arrays)

    def load(self, directory: Path) -> None:
        """Read what :meth:`save` wrote; see :meth:`lexiclass.plugins.base.Plugin.load`."""
        self._load_calibrator(directory)
        path = directory / "planes.safetensors"
        arrays = read_arrays(path, _ARRAYS, optional={"term_weights": (np.float32, 1)})
        self._weights, self._intercepts = arrays["weights"], arrays["intercepts"]
        term_weights = arrays.get("term_weights")
        self._scaling = RowScaling(term_weights, self._parameters.normalize)
        if not self._weights.shape[1] == len(self._intercepts) == len(self.classes):
            raise ModelCorrupt(path.name, "not one plane per class")
        if self.num_inputs not in {None, len(self._weights)}:
            raise ModelCorrupt(path.name, f"not planes of {self.num_inputs} features")
        if not (np.isfinite(self._weights).all() and np.isfinite(self._intercepts).all()):
            raise ModelCorrupt(path.name, "holds numbers that are not finite")
        if term_weights is None:
            return
        if len(term_weights) != len(self._weights):
            raise ModelCorrupt(path.name, "not one weight per feature")
        if not (np.isfinite(term_weights) & (term_weights >= 1)).all():
            raise ModelCorrupt(path.name, "weights that no feature can have")

    def _learn_scaling(
        self, groups: sparse.csr_array, rows: Rows, kept: NDArray[np.bool_]
    ) -> RowScaling:
        return RowScaling.learn(
            rows,
            groups[kept],
            strength=self._parameters.term_weighting,
            normalize=self._parameters.normalize,
        )

    def _machines(self, targets: Targets, keys: Keys) -> list[Machine]:
        """List what to train: a machine per class, and again without each fold that is needed."""
        whole = list(self._machines_of_model(targets))
        if self._multi_label:
            return whole + [
                replace(machine, held_out=rows, fold=(machine.columns[0], number))
                for machine in whole
                for number, rows in enumerate(self._held_out(machine.members.astype(np.intp), keys))
            ]
        return whole + [
            replace(machine, held_out=rows, fold=(0, number))
            for number, rows in enumerate(self._held_out(targets.strata, keys))
            for machine in whole
        ]

    def _machines_of_model(self, targets: Targets) -> Iterator[Machine]:
        weights = targets.weights(self._parameters.class_weight)
        weights = np.ones((2, len(self.classes))) if weights is None else weights
        if not self._multi_label:
            weights[0] = 1  # each class against the rest, which weighs as it is
        for column, members in enumerate(targets.members.T):
            # Of two classes one machine says both: it is for the one, against the other.
            is_pair = len(self.classes) == 2 and not self._multi_label
            if is_pair and column == 0:
                continue
            yield Machine(
                columns=[0, 1] if is_pair else [column],
                signs=np.array([-1.0, 1.0] if is_pair else [1.0], dtype=np.float32),
                members=members,
                weights=(weights[1, 0] if is_pair else weights[0, column], weights[1, column]),
            )

    def _held_out(self, codes: NDArray[np.intp], keys: Keys) -> list[NDArray[np.intp]]:
        """Return the rows of each fold to hold out, as many folds as are needed."""
        if self._parameters.calibration == "none":
            return []
        num_folds = self._parameters.calibration_folds
        if num_folds is None:
            num_folds = _default_folds(len(codes))
        # Dealt out by what the documents are: another seed need not move confidences.
        folds = stratified_folds(codes, num_folds, 0, keys)
        numbers = np.unique(folds[folds >= 0])
        sizes = np.bincount(codes)
        share = max(
            _CALIBRATION_DOCUMENTS / len(codes),
            _CALIBRATION_DOCUMENTS_PER_CLASS / sizes[sizes > 0].min(),
        )
        if self._parameters.held_out == "enough":
            numbers = numbers[: ceil(min(share, 1.0) * num_folds)]
        return [np.flatnonzero(folds == fold) for fold in numbers]

    def _fit(self, fold: Fold[RowScaling], machine: Machine) -> tuple[NDArray[np.float32], float]:
        # Here, because only training needs scikit-learn: a process that predicts starts without.
        from lexiclass.plugins.classifiers.svm.liblinear import fit_linear_svc  # noqa: PLC0415

        members = fold.members(machine)
        if members.all() or not members.any():  # a class that all or none have
            return np.zeros(fold.inside.shape[1], np.float32), 1.0 if members[0] else -1.0
        return fit_linear_svc(
            fold.inside,
            members,
            regularization=self._parameters.C,
            loss=self._parameters.loss,
            class_weight=machine.weights,
            max_iter=self._parameters.max_iter,
            tolerance=self._parameters.tol,
            seed=self._seed,
        )


def _default_folds(num_documents: int) -> int:
    return next(
        (folds for most, folds in _FOLDS_UP_TO.items() if num_documents <= most), _FOLDS_OF_MANY
    )


def _counter(progress: PluginProgress | None, steps: int) -> Callable[[], None]:
    done = count(1)
    return lambda: None if progress is None else progress(next(done), steps)
