"""From classifier scores to probabilities that mean what they say.

A calibrator is fitted on scores of documents that the classifier was not trained on.
"""

from lexiclass.calibration.base import Calibrator, Matrix
from lexiclass.calibration.evidence_fitting import Shortened
from lexiclass.calibration.fitting import Documents, calibrate, load_calibrator
from lexiclass.calibration.measures import expected_calibration_error
from lexiclass.calibration.platt import fit_sigmoid
from lexiclass.calibration.pooled import MARGIN_SLOPE, PooledSigmoids
from lexiclass.calibration.temperature import Temperature

__all__ = [
    "MARGIN_SLOPE",
    "Calibrator",
    "Documents",
    "Matrix",
    "PooledSigmoids",
    "Shortened",
    "Temperature",
    "calibrate",
    "expected_calibration_error",
    "fit_sigmoid",
    "load_calibrator",
]
