"""From which confidence on predictions are accepted without a look."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.schemas import AcceptAt, CertifiedThreshold
from lexiclass_worker.errors import NoCertifiedThreshold
from lexiclass_worker.repositories import model_versions


async def accept_from(
    session: AsyncSession, wanted: AcceptAt | None, field_id: int, version: int
) -> float | None:
    """The lowest confidence of a prediction of this version that is accepted; None to mark none.

    Raises:
        NoCertifiedThreshold: If the latest evaluation of the version certifies none for the
            accuracy that is asked for, or there is none.
    """
    if wanted is None:
        return None
    if wanted.accuracy is None:
        return wanted.confidence
    thresholds = await model_versions.certified_thresholds(session, field_id, version)
    for found in thresholds or ():
        if found.target == wanted.accuracy and found.threshold is not None:
            return found.threshold
    raise NoCertifiedThreshold(
        _why_none(thresholds, wanted.accuracy, field_id, version),
        details={
            "field_id": field_id,
            "model_version": version,
            "accuracy": wanted.accuracy,
            "certified": [_described(found) for found in thresholds or ()],
        },
    )


def _why_none(
    thresholds: list[CertifiedThreshold] | None, accuracy: float, field_id: int, version: int
) -> str:
    subject = f"version {version} of field {field_id}"
    if thresholds is None:
        return (
            f"nothing is known of what {subject} gets right, for it has not been evaluated, or by "
            "a release that certified nothing: evaluate it first, or give a confidence of your own"
        )
    certified = [f"{found.target:g}" for found in thresholds if found.threshold is not None]
    others = (
        f"certified are {', '.join(certified)}: ask for one of these, or"
        if certified
        else "none is certified:"
    )
    if all(found.target != accuracy for found in thresholds):
        targets = ", ".join(f"{found.target:g}" for found in thresholds)
        return (
            f"an accuracy of {accuracy:g} is none that evaluations look at ({targets}); of "
            f"{subject} {others} give a confidence of your own"
        )
    return (
        f"the latest evaluation of {subject} finds no confidence from which on an accuracy of "
        f"{accuracy:g} is certain; {others} evaluate with more test documents, or give a "
        "confidence of your own"
    )


def _described(found: CertifiedThreshold) -> dict[str, Any]:
    return {"accuracy": found.target, "confidence": found.threshold}
