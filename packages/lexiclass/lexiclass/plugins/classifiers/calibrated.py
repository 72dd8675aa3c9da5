"""What classifiers have in common that hold documents out and calibrate on these."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any

from lexiclass.calibration import Calibrator, Documents, Temperature, calibrate, load_calibrator
from lexiclass.label_quality import HeldOut
from lexiclass.labels import Labels, read_classes
from lexiclass.plugins.base import Classifier, PluginProgress
from lexiclass.plugins.training_rows import TrainingRows
from lexiclass.serialization import read_json, write_json
from lexiclass.targets import ClassWeight, Targets

_CLASSES = "classes.json"
_CALIBRATOR = "calibrator.json"


class RowClassifier(Classifier):
    """A classifier that is to know what rows would be without the documents it holds out."""

    def train(
        self, features: Any, labels: Labels, *, progress: PluginProgress | None = None
    ) -> None:
        """Train on (n, num_features) rows, of which nothing else is known; see :meth:`fit`."""
        self.fit(TrainingRows(features), labels, progress=progress)

    @abstractmethod
    def fit(
        self, training: TrainingRows, labels: Labels, *, progress: PluginProgress | None = None
    ) -> None:
        """See :meth:`lexiclass.Classifier.fit`."""


class CalibratedClassifier(Classifier):
    """A classifier whose scores become probabilities by a calibrator, which is stored with it."""

    def __init__(self, *, multi_label: bool) -> None:
        self._multi_label = multi_label
        self._calibrator: Calibrator = Temperature()

    def _calibrate(
        self,
        documents: Documents,
        targets: Targets,
        class_weight: ClassWeight,
        left_out: Labels = (),
        **options: bool,
    ) -> None:
        """Fit the calibrator on what was held out; see :func:`lexiclass.calibration.calibrate`.

        Args:
            documents: That were held out.
            targets: Of all documents that were trained on.
            class_weight: What each class counts in decisions.
            left_out: Classes of documents that there was nothing to learn from.
            **options: Of :func:`~lexiclass.calibration.calibrate`.
        """
        weights = targets.weights(class_weight)
        self._calibrator = calibrate(
            documents,
            targets.frequencies,
            targets.shares(),
            unknown=targets.shares(left_out) if len(left_out) else None,
            weights=None if weights is None else weights[1],
            **options,
        )
        self.num_calibration_documents = documents.count
        self.held_out = HeldOut.of(self._calibrator, documents)

    def _save_calibrator(self, directory: Path, **more: Any) -> None:
        write_json(directory / _CLASSES, list(self.classes))
        write_json(directory / _CALIBRATOR, {**self._calibrator.state(), **more})

    def _load_calibrator(self, directory: Path) -> Any:
        """Read classes and calibrator. Returns what is stored of the calibrator."""
        self.classes = read_classes(directory / _CLASSES)
        state = read_json(directory / _CALIBRATOR)
        self._calibrator = load_calibrator(
            state,
            num_classes=len(self.classes),
            multi_label=self._multi_label,
            file=_CALIBRATOR,
        )
        return state
