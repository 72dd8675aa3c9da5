"""What gates say of a version, by what was measured of it."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from lexiclass_core.gates.config import Gates
from lexiclass_core.gates.figures import ClassDifference, GateFigures, PairedDifference
from lexiclass_core.storable import Excerpt
from lexiclass_core.values import Record

FEWEST_CALIBRATED: Final = 100
"""Test documents below which nothing is said of calibration: every model seems to be right then."""

# A difference as large is that seldom found between models that are as good.
_CHANCE: Final = 0.05

_LONGEST_NAME: Final = 100


class Outcome(StrEnum):
    """What a gate says of a version."""

    PASSED = "passed"
    FAILED = "failed"
    CANNOT_TELL = "cannot_tell"


class Verdict(Record):
    """What one gate says, and why.

    Attributes:
        gate: Its name in :class:`Gates`.
        limit: Its limit; None of one that has none.
        figures: What that rests on; None if nothing was measured.
        says: The same in plain words.
    """

    gate: str
    outcome: Outcome
    limit: float | None = None
    figures: dict[str, Any] | None = None
    says: str


class Judgement(Record):
    """What all gates say of a version.

    Attributes:
        against: The version it is held against; None if no other could serve.
        is_passed: Whether it may be promoted.
    """

    against: int | None
    verdicts: list[Verdict]
    is_passed: bool


class _Judged(NamedTuple):
    outcome: Outcome
    figures: BaseModel | None
    says: str


def _cannot_tell(why: str) -> _Judged:
    return _Judged(Outcome.CANNOT_TELL, None, why)


_UNMEASURED: Final = _cannot_tell("it was not measured: evaluate this version")


def judge(gates: Gates, figures: GateFigures | None, *, against: int | None) -> Judgement:
    """Hold what was measured of a version against the gates.

    ``against`` is the version that serves now, or would without this one.
    """
    verdicts = []
    for name in gates.names:
        limit = getattr(gates, name)
        outcome, found, says = _JUDGES[name](figures, against, limit)
        verdicts.append(
            Verdict(
                gate=name,
                outcome=outcome,
                limit=None if limit is True else limit,
                figures=None if found is None else found.model_dump(mode="json"),
                says=says,
            )
        )
    return Judgement(
        against=against,
        verdicts=verdicts,
        is_passed=all(_lets_through(verdict, gates) for verdict in verdicts),
    )


def _lets_through(verdict: Verdict, gates: Gates) -> bool:
    if verdict.outcome is Outcome.CANNOT_TELL:
        return gates.allow_cannot_tell and verdict.figures is not None
    return verdict.outcome is Outcome.PASSED


def _accuracy(figures: GateFigures | None, against: int | None, limit: float) -> _Judged:
    if isinstance(compared := _compared(figures, against), _Judged):
        return compared
    if (found := compared.accuracy) is None:
        return _other_test_set(against)
    said = f"accuracy {_points(found)} against version {against}; {_at_most(limit)}"
    if found.low >= -limit:
        return _Judged(Outcome.PASSED, found, said)
    outcome = Outcome.FAILED if found.high < -limit else Outcome.CANNOT_TELL
    return _Judged(outcome, found, said)


def _class_f1(figures: GateFigures | None, against: int | None, limit: float) -> _Judged:
    if isinstance(compared := _compared(figures, against), _Judged):
        return compared
    uncertain, worse = compared.uncertain_class, compared.worse_class
    if uncertain is None:
        return _other_test_set(against)
    if worse is not None and worse.p_value < _CHANCE and worse.high < -limit:
        return _Judged(Outcome.FAILED, worse, _of_class(worse, against, limit))
    outcome = Outcome.PASSED if uncertain.low >= -limit else Outcome.CANNOT_TELL
    said = f"{_of_class(uncertain, against, limit)}; no other class may have lost more"
    return _Judged(outcome, uncertain, said)


def _calibration(figures: GateFigures | None, against: int | None, limit: float) -> _Judged:
    del against, limit
    if figures is None or (found := figures.calibration) is None:
        return _UNMEASURED
    said = (
        f"calibration error {found.error:.4f} (debiased) on {found.num_documents:,} different "
        "documents; perfectly calibrated confidences would show up to "
        f"{found.highest:.4f} by chance"
    )
    if found.num_documents < FEWEST_CALIBRATED:
        few = f"{said}; {FEWEST_CALIBRATED} different documents are needed to tell"
        return _Judged(Outcome.CANNOT_TELL, found, few)
    inside = found.error <= found.highest
    return _Judged(Outcome.PASSED if inside else Outcome.FAILED, found, said)


def _changed(figures: GateFigures | None, against: int | None, limit: float) -> _Judged:
    if isinstance(compared := _compared(figures, against), _Judged):
        return compared
    found = compared.changed
    if found is None or not found.num_documents:
        return _cannot_tell(
            f"it is not known how version {against} predicts recent documents: predict some with "
            "it, then evaluate this version again"
        )
    said = (
        f"{found.num_changed:,} of {found.num_documents:,} recent documents are predicted as "
        f"another class than by version {against}: {found.low:.1%} to {found.high:.1%} of all; at "
        f"most {limit:.1%} may"
    )
    if found.high <= limit:
        return _Judged(Outcome.PASSED, found, said)
    outcome = Outcome.FAILED if found.low > limit else Outcome.CANNOT_TELL
    return _Judged(outcome, found, said)


_JUDGES: Final[dict[str, Callable[[GateFigures | None, int | None, float], _Judged]]] = {
    "max_accuracy_loss": _accuracy,
    "max_class_f1_loss": _class_f1,
    "calibrated": _calibration,
    "max_changed_share": _changed,
}


def _compared(figures: GateFigures | None, against: int | None) -> GateFigures | _Judged:
    """Figures against that version, or what can be said without."""
    if against is None:
        return _Judged(Outcome.PASSED, None, "no other version serves that it could replace")
    if figures is None:
        return _UNMEASURED
    if figures.against != against:
        before = "none" if figures.against is None else f"version {figures.against}"
        return _cannot_tell(
            f"it was compared with {before}, and version {against} serves: evaluate it again"
        )
    if figures.is_same_model:
        return _Judged(
            Outcome.PASSED,
            figures.accuracy,
            f"by its digest it is the same model as version {against}: it predicts the same",
        )
    return figures


def _other_test_set(against: int | None) -> _Judged:
    return _cannot_tell(
        f"version {against} was not evaluated on the same test documents: evaluate it, then this "
        "version again"
    )


def _points(found: PairedDifference) -> str:
    value, low, high = (f"{100 * each:+.1f}" for each in (found.value, found.low, found.high))
    return f"{value} points, {low} to {high} on all such documents"


def _at_most(limit: float) -> str:
    return f"at most {100 * limit:.1f} may be lost"


def _of_class(found: ClassDifference, against: int | None, limit: float) -> str:
    name = Excerpt(characters=_LONGEST_NAME, longest=_LONGEST_NAME).text(found.class_name)
    return f"F1 of class {name!r} {_points(found)} against version {against}; {_at_most(limit)}"
