"""What every calibrator offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Calibrator(ABC):
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
        del evidence  # it has a say in those alone that are made for that
        return self._probabilities(scores)

    @abstractmethod
    def _probabilities(self, scores: Matrix) -> Matrix: ...

    def state(self) -> dict[str, Any]:
        """Return what :func:`~lexiclass.calibration.load_calibrator` needs, as JSON."""
        found: dict[str, Any] = {"method": self.method}
        for name in (each.name for each in fields(self)):
            if name == "multi_label":
                continue  # the pipeline's own, which says so when the state is read
            value = getattr(self, name)
            if value is None:
                continue
            if isinstance(value, Calibrator):
                value = value.state()
            found[name] = value.tolist() if isinstance(value, np.ndarray) else value
        return found
