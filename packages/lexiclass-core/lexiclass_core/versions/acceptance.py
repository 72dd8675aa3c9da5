"""From which confidences on the evaluation of a version certifies which accuracies."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter, ValidationError

from lexiclass_core.schemas import CertifiedThreshold

_THRESHOLDS: Final = TypeAdapter(list[CertifiedThreshold] | None)


def certified_thresholds(acceptance: object) -> list[CertifiedThreshold] | None:
    """Read ``metrics["evaluation"]["acceptance"]`` of a model.

    Returns None if the version was not evaluated, or before that was kept, or if what another
    program wrote there is none.
    """
    try:
        return _THRESHOLDS.validate_python(acceptance)
    except ValidationError:
        return None
