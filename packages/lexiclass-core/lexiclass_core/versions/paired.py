"""Whether one of two versions is better, by the same test documents.

The accuracies alone, without NumPy: whoever has the library has its F1 scores as well, in
``lexiclass.report.paired``, whose figures these are. A difference has its interval first: D. Bonett
and R. Price, Journal of Educational and Behavioral Statistics 37 (2012); then the exact test of
Q. McNemar, Psychometrika 12 (1947).
"""

from dataclasses import dataclass
from math import ceil, exp, lgamma, log, sqrt
from statistics import NormalDist
from typing import Final, Literal, TypeAlias

Verdict: TypeAlias = Literal["better", "worse", "cannot_tell", "no_difference"]

LEVEL: Final = 0.95
"""Probability that an interval holds the true difference."""

_POWER: Final = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyDifference:
    """The accuracy of the second version minus that of the first.

    Attributes:
        only_first_right: Test documents that the first alone predicts right.
        only_second_right: Those that the second alone does.
        num_documents: Test documents.
        value: What it is on these, in [-1, 1].
        low: Where it lies at least on all such documents, in 19 cases of 20.
        high: Where it lies at most.
        p_value: How probable one as large is if both are as good.
        documents_needed: About how many test documents would show one as large; None if there is
            none.
    """

    only_first_right: int
    only_second_right: int
    num_documents: int
    value: float
    low: float
    high: float
    p_value: float
    documents_needed: int | None

    @property
    def verdict(self) -> Verdict:
        """Whether the second is better beyond chance."""
        if self.p_value < 1 - LEVEL:
            return "better" if self.value > 0 else "worse"
        return "no_difference" if self.documents_needed is None else "cannot_tell"


def accuracy_difference(
    only_first_right: int, only_second_right: int, num_documents: int
) -> AccuracyDifference:
    """Hold the second version against the first.

    Raises:
        ValueError: If there are no documents, or fewer than on which the two differ.
    """
    if not 0 <= only_first_right + only_second_right <= num_documents or not num_documents:
        raise ValueError("two versions differ on some of the test documents, which are one or more")
    # One more document for each of the two, of which nobody knows which way they go.
    number = num_documents + 2
    first, second = (only_first_right + 1) / number, (only_second_right + 1) / number
    centre = second - first
    reach = _quantile((1 + LEVEL) / 2) * sqrt((first + second - centre**2) / number)
    return AccuracyDifference(
        only_first_right=only_first_right,
        only_second_right=only_second_right,
        num_documents=num_documents,
        value=(only_second_right - only_first_right) / num_documents,
        low=max(-1.0, centre - reach),
        high=min(1.0, centre + reach),
        p_value=mcnemar(only_first_right, only_second_right),
        documents_needed=_documents_needed(only_first_right, only_second_right, num_documents),
    )


def mcnemar(only_first_right: int, only_second_right: int) -> float:
    """The two-sided p-value of the exact test: a binomial distribution with probability 1/2."""
    total = only_first_right + only_second_right
    fewer = min(only_first_right, only_second_right)
    if 2 * fewer == total:
        return 1.0
    term = exp(lgamma(total + 1) - lgamma(fewer + 1) - lgamma(total - fewer + 1) - total * log(2))
    tail = 0.0
    # From the largest one down, until what is left adds nothing.
    for number in range(fewer, -1, -1):
        tail += term
        term *= number / (total - number + 1)
        if term <= tail * 1e-17:
            break
    return min(1.0, 2 * tail)


def _documents_needed(
    only_first_right: int, only_second_right: int, num_documents: int
) -> int | None:
    """Source: R. Connor, Biometrics 43 (1987), with a power of 80 %."""
    share = (only_first_right + only_second_right) / num_documents
    difference = (only_second_right - only_first_right) / num_documents
    if not difference:
        return None
    reach = _quantile((1 + LEVEL) / 2) * sqrt(share)
    reach += _quantile(_POWER) * sqrt(max(0.0, share - difference**2))
    return ceil((reach / difference) ** 2)


def _quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)
