"""scikit-learn's LinearSVC behind one typed function."""

from __future__ import annotations

import logging
import warnings
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from lexiclass.plugins.base import Rows

_log = logging.getLogger(__name__)


def fit_linear_svc(
    features: Rows,
    codes: NDArray[np.intp],
    *,
    regularization: float,
    loss: Literal["hinge", "squared_hinge"],
    class_weight: dict[int, float] | None,
    max_iter: int,
    tolerance: float,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit one linear support vector machine per class against the rest.

    Source: R.-E. Fan et al., "LIBLINEAR: A Library for Large Linear Classification", JMLR 9, 2008.

    Args:
        features: (n, m) rows, sparse or dense.
        codes: (n,) classes 0 to k - 1, each of them present, k at least 2.
        regularization: C, the weight of the loss.
        loss: Loss of a margin.
        class_weight: What the documents of a class weigh, 1 if not given.
        max_iter: Most passes over the data.
        tolerance: Stopping tolerance.
        seed: Seed of the order in which coordinates are visited.

    Returns:
        (k, m) coefficients and (k,) intercepts; two classes get mirrored rows.
    """
    model = LinearSVC(
        C=regularization,
        loss=loss,
        class_weight=class_weight,
        max_iter=max_iter,
        tol=tolerance,
        random_state=seed,
        dual=True,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model.fit(features, codes)
    if caught:
        _log.warning("linear SVM stopped at max_iter=%d before it converged", max_iter)
    coefficients = np.asarray(model.coef_, dtype=np.float32)
    intercepts = np.asarray(model.intercept_, dtype=np.float32)
    if len(coefficients) == 1:
        return (
            np.concatenate((-coefficients, coefficients)),
            np.concatenate((-intercepts, intercepts)),
        )
    return coefficients, intercepts
