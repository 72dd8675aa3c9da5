"""The gates of a field, as ``field.config`` has them."""

from typing import Annotated, Final, Self

from pydantic import Field, ValidationError, model_validator

from lexiclass_core.storable import Excerpt
from lexiclass_core.values import Value

GATES: Final = ("max_accuracy_loss", "max_class_f1_loss", "calibrated", "max_changed_share")
"""Names of gates, in the order in which they are told."""

_LONGEST_PROBLEM: Final = 500

_Share = Annotated[float, Field(strict=True, ge=0, le=1)]
_Flag = Annotated[bool, Field(strict=True)]


class ConfigUnreadable(ValueError):
    """``field.config`` is not what it may be; the message says where."""


class Gates(Value):
    """Limits on what a version may lose; none where nothing is named.

    Attributes:
        max_accuracy_loss: How far its accuracy may lie below that of the version that serves.
        max_class_f1_loss: How far the F1 score of any class may.
        calibrated: Whether its calibration error must be what chance makes of perfectly calibrated
            confidences, 19 times of 20.
        max_changed_share: Of documents that were predicted lately, the share that it may predict as
            another class.
        allow_cannot_tell: Whether a gate that was measured and cannot tell lets it through.
    """

    max_accuracy_loss: _Share | None = None
    max_class_f1_loss: _Share | None = None
    calibrated: _Flag = False
    max_changed_share: _Share | None = None
    allow_cannot_tell: _Flag = False

    @property
    def names(self) -> list[str]:
        """Those that are set; a limit of 0 is one."""
        values = {name: getattr(self, name) for name in GATES}
        return [name for name, value in values.items() if value is not None and value is not False]


class FieldConfig(Value):
    """``field.config``: nothing else may be in it.

    Attributes:
        promote_after_evaluation: Whether a version that shows it is promoted by its evaluation.
    """

    gates: Gates = Field(default_factory=Gates)
    promote_after_evaluation: _Flag = False

    @model_validator(mode="after")
    def _is_gated(self) -> Self:
        if self.promote_after_evaluation and not self.gates.names:
            raise ValueError(
                f"promote_after_evaluation needs a gate: set one of {', '.join(GATES)}"
            )
        return self

    @classmethod
    def of_row(cls, config: object) -> Self:
        """What the column holds.

        Raises:
            ConfigUnreadable: If it holds anything else: nothing is guessed about gates.
        """
        try:
            return cls.model_validate(config)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, each['loc'])) or 'config'}: {each['msg']}"
                for each in error.errors(include_url=False, include_input=False)[:3]
            )
            excerpt = Excerpt(characters=_LONGEST_PROBLEM, longest=_LONGEST_PROBLEM)
            raise ConfigUnreadable(excerpt.text(problems)) from error
