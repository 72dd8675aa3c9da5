"""P-values of scores, by those of documents that are known to be familiar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]

#: Documents with at most this p-value are unfamiliar: of those like the training documents, one in
#: a hundred is.
FALSE_ALARMS = 0.01

# Scores that are kept of very many: a p-value of 0.01 is then known to 0.0005.
_MOST_SCORES = 1_999


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """Scores of training documents, each found as if that document were new.

    The p-value of a document is the share of these, and of itself, that are no higher. If it comes
    from where the training documents come from, that share is at most p in a share p of all cases,
    whatever the distribution of the scores. Source: R. Laxhammar, G. Falkman, "Conformal prediction
    for distribution-independent anomaly detection in streaming vessel data", StreamKDD 2010; S.
    Bates, E. Candès, L. Lei, Y. Romano, M. Sesia, "Testing for outliers with conformal p-values",
    Annals of Statistics 51(1), 2023. That each document is scored by what all others taught,
    instead of by a separate half, is the jackknife of R. Barber, E. Candès, A. Ramdas, R.
    Tibshirani, "Predictive inference with the jackknife+", Annals of Statistics 49(1), 2021: nearly
    exact where one document more or less changes little.

    Attributes:
        scores: (m,) rising; high ones are familiar.
    """

    scores: Scores

    @classmethod
    def of(cls, scores: Scores) -> Self:
        """Keep scores, of very many some that are evenly spread over their order."""
        ordered = np.sort(scores)
        if len(ordered) > _MOST_SCORES:
            ranks = np.arange(1, _MOST_SCORES + 1) * (len(ordered) + 1) // (_MOST_SCORES + 1)
            ordered = ordered[ranks - 1]
        return cls(ordered)

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Restore what :meth:`state` returned.

        Raises:
            ValueError: If these are not rising numbers.
        """
        scores = np.array(state, dtype=np.float64)
        if scores.ndim != 1 or not np.isfinite(scores).all() or (np.diff(scores) < 0).any():
            raise ValueError("scores that do not rise")
        return cls(scores)

    def p_values(self, scores: Scores) -> Scores:
        """Return (n,) p-values of (n,) scores, above 0 and at most 1."""
        no_higher = np.searchsorted(self.scores, scores, side="right")
        return np.asarray((1 + no_higher) / (1 + len(self.scores)))

    def state(self) -> list[float]:
        """Return the scores, as JSON."""
        found: list[float] = self.scores.tolist()
        return found
