"""What every calibrator offers."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.intp]


class Calibrator(Protocol):
    """Turns (n, k) scores into (n, k) probabilities.

    Their rows sum to 1, or where a document can have any number of classes each is for its class
    alone.
    """

    method: ClassVar[str]

    def __call__(self, scores: Matrix, evidence: Matrix | None = None) -> Matrix:
        """Return the probabilities.

        Args:
            scores: (n, k) scores.
            evidence: (n,) how much the scores of each document rest on, such as its number of known
                words; 0 where they rest on nothing. Without it all rest on enough.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Return what :func:`~lexiclass.calibration.load_calibrator` needs, as JSON."""
        ...
