"""What evaluations measure for gates.

Rows can be written by others: figures that no evaluation can come to, such as an interval without
the value that it is of, are none, and no gate passes on them.
"""

from typing import Annotated, Final, Self

from pydantic import Field, ValidationError, model_validator

from lexiclass_core.values import Record

_Share = Annotated[float, Field(strict=True, ge=0, le=1)]
_Difference = Annotated[float, Field(strict=True, ge=-1, le=1)]
_Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]

_ROUNDING: Final = 1e-9


class PairedDifference(Record):
    """A figure of a version minus that of another, and where it may lie on all such documents."""

    value: _Difference
    low: _Difference
    high: _Difference

    @model_validator(mode="after")
    def _lies_in_its_interval(self) -> Self:
        _require_inside(self.value, self.low, self.high)
        return self


class ClassDifference(PairedDifference):
    """The same of a class' F1. ``p_value`` is Holm's, over all classes."""

    class_name: str
    p_value: _Share


class CalibrationFigures(Record):
    """A calibration error, and up to where it may be chance."""

    error: _Share
    highest: _Share
    num_documents: _Count


class ChangedFigures(Record):
    """Of documents that another version predicted, how many are predicted as another class."""

    num_documents: _Count
    num_changed: _Count
    low: _Share
    high: _Share

    @model_validator(mode="after")
    def _is_a_share_in_its_interval(self) -> Self:
        if self.num_documents:
            _require_inside(self.num_changed / self.num_documents, self.low, self.high)
        return self


class GateFigures(Record):
    """What an evaluation measured for gates: kept in ``model.metrics["gate_figures"]``.

    Attributes:
        against: The version it was compared with; None if no other could serve.
        is_same_model: Whether both are the same by their digests; None if these are not known.
        accuracy: None if that version was not evaluated on the same test documents.
        uncertain_class: The class whose F1 may have fallen furthest.
        worse_class: Of classes that are worse beyond chance, the one that has surely fallen
            furthest; None if there are none.
        calibration: None if it was not asked for.
        changed: None if it was not asked for, or that version has predicted nothing.
    """

    against: _Count | None = None
    is_same_model: Annotated[bool, Field(strict=True)] | None = None
    accuracy: PairedDifference | None = None
    uncertain_class: ClassDifference | None = None
    worse_class: ClassDifference | None = None
    calibration: CalibrationFigures | None = None
    changed: ChangedFigures | None = None

    @classmethod
    def of_metrics(cls, metrics: object) -> Self | None:
        """What ``model.metrics`` holds; None where it holds nothing that is understood."""
        found = metrics.get("gate_figures") if isinstance(metrics, dict) else None
        try:
            return None if found is None else cls.model_validate(found)
        except ValidationError:
            return None


def _require_inside(value: float, low: float, high: float) -> None:
    if not low - _ROUNDING <= value <= high + _ROUNDING:
        raise ValueError("the interval does not hold the value that it is of")
