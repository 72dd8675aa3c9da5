"""scikit-learn's LinearSVC behind one typed function."""

from __future__ import annotations

import logging
import warnings
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from lexiclass.rows import Rows

_log = logging.getLogger(__name__)


def fit_linear_svc(
    features: Rows,
    members: NDArray[np.bool_],
    *,
    regularization: float,
    loss: Literal["hinge", "squared_hinge"],
    class_weight: tuple[float, float],
    max_iter: int,
    tolerance: float,
    seed: int,
) -> tuple[NDArray[np.float32], float]:
    """Fit a linear support vector machine for one class against the rest.

    Source: R.-E. Fan et al., "LIBLINEAR: A Library for Large Linear Classification", JMLR 9, 2008.

    Args:
        features: (n, m) finite rows, sparse or dense.
        members: (n,) whether a document has the class; some have it and some don't.
        regularization: C, the weight of the loss.
        loss: Loss of a margin.
        class_weight: What documents without and with the class weigh.
        max_iter: Most passes over the data.
        tolerance: Stopping tolerance.
        seed: Seed of the order in which coordinates are visited.

    Returns:
        (m,) coefficients and the intercept.
    """
    model = LinearSVC(
        C=regularization,
        loss=loss,
        class_weight=None if set(class_weight) == {1.0} else dict(enumerate(class_weight)),
        max_iter=max_iter,
        tol=tolerance,
        random_state=seed,
        dual=True,
    )
    # Checked once for all machines, not by each.
    unchecked = config_context(assume_finite=True, skip_parameter_validation=True)
    with warnings.catch_warnings(record=True) as caught, unchecked:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(features, members.astype(np.intp))
    if caught:
        _log.warning("linear SVM stopped at max_iter=%d before it converged", max_iter)
    return np.asarray(model.coef_[0], dtype=np.float32), float(model.intercept_[0])
