"""Linear support vector machine with calibrated probabilities."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import ModelCorrupt
from lexiclass.labels import Labels
from lexiclass.plugins.base import PluginContext, PluginProgress
from lexiclass.plugins.classifiers.calibrated import CalibratedClassifier, RowClassifier
from lexiclass.plugins.classifiers.out_of_fold import Fold, Folds, Machine, OutOfFoldScores
from lexiclass.plugins.classifiers.svm.machines import list_machines
from lexiclass.plugins.classifiers.svm.parameters import SvmParameters
from lexiclass.plugins.classifiers.svm.term_weighting import RowScaling
from lexiclass.plugins.features.rows import evidence, require_finite
from lexiclass.plugins.training_rows import TrainingRows
from lexiclass.processes import forked_map
from lexiclass.rows import Rows
from lexiclass.serialization import read_arrays, write_arrays
from lexiclass.targets import Targets

# Values that all machines together read in a pass: some tenths of a second of training, below
# which starting processes takes as long as they save.
_WORTH_A_PROCESS = 5_000_000


_ARRAYS = {"weights": (np.float32, 2), "intercepts": (np.float32, 1)}


class SvmClassifier(RowClassifier, CalibratedClassifier):
    """One linear support vector machine per class against the rest.

    Features that speak for a class count more than others (``term_weighting``), by what the
    documents at hand say: of a machine that lacks a fold, those of that fold have no say.

    With several classes a document, each class is a problem of its own.

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
        machines = list_machines(targets, keys, self._parameters)
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

        def fit(machine: Machine) -> tuple[NDArray[np.float32], float, RowScaling | None]:
            fold = folds.of(machine)
            weights, intercept = self._fit(fold, machine)
            # Other processes send it, as large as the weights; the model's own is here already.
            return weights, intercept, None if machine.fold is None else fold.scaling

        fitted = forked_map(
            fit,
            machines,
            num_processes=self._num_processes if is_large else 1,
        )
        for machine, (weights, intercept, scaling) in zip(machines, fitted, strict=True):
            if scaling is None:
                self._weights[:, machine.columns] = weights[:, np.newaxis] * machine.signs
                self._intercepts[machine.columns] = intercept * machine.signs
            else:
                scores.add(machine, weights, intercept, scaling)
            tell()
        self._calibrate(
            scores.documents(),
            targets,
            self._parameters.class_weight,
            training.left_out,
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


def _counter(progress: PluginProgress | None, steps: int) -> Callable[[], None]:
    done = count(1)
    return lambda: None if progress is None else progress(next(done), steps)
