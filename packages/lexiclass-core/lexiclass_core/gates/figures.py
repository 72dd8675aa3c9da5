"""What evaluations measure for gates."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=0, le=2**53)]


class PairedDifference(BaseModel):
    """A figure of a version minus that of another, and where it may lie on all such documents."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: _Finite
    low: _Finite
    high: _Finite


class ClassDifference(PairedDifference):
    """The same of a class' F1. ``p_value`` is Holm's, over all classes."""

    class_name: str
    p_value: _Finite


class CalibrationFigures(BaseModel):
    """A calibration error, and up to where it may be chance."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    error: _Finite
    highest: _Finite
    num_documents: _Count


class ChangedFigures(BaseModel):
    """Of documents that another version predicted, how many are predicted as another class."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_documents: _Count
    num_changed: _Count
    low: _Finite
    high: _Finite


class GateFigures(BaseModel):
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

    model_config = ConfigDict(extra="ignore", frozen=True)

    against: _Count | None = None
    is_same_model: bool | None = None
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
