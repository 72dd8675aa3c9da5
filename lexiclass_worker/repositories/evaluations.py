"""What evaluations leave in the rows of model versions."""

from typing import Any, NamedTuple

from sqlalchemy import cast, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import versions
from lexiclass_core.models import Model


class EvaluationErrors(NamedTuple):
    """Test documents that are predicted wrong: (n,) each.

    Attributes:
        documents: Which, by number.
        labels: What they are.
        predicted: What they are taken for.
    """

    documents: list[int]
    labels: list[str]
    predicted: list[str]


async def record_evaluation(
    session: AsyncSession,
    model_id: int,
    accuracy: float,
    evaluation: dict[str, Any],
    *,
    test_set: dict[str, Any],
    errors: EvaluationErrors,
    gate_figures: dict[str, Any] | None = None,
) -> None:
    """Keep an evaluation in ``model.metrics["evaluation"]``, and its accuracy.

    Beside it are kept ``test_set``, what it was made on, and ``gate_figures``, what was measured
    for gates. ``errors`` are the documents that are predicted wrong.
    """
    added = {**_evaluated(evaluation, test_set), "gate_figures": gate_figures}
    await session.execute(
        update(Model)
        .where(Model.id == model_id)
        .values(
            accuracy=accuracy,
            metrics=Model.metrics.op("||")(cast(added, JSONB)),
            test_errors=errors.documents,
            test_error_labels=errors.labels,
            test_error_predictions=errors.predicted,
        )
    )


async def regression_with(
    session: AsyncSession, model: Model, evaluation: dict[str, Any], test_set: dict[str, Any]
) -> versions.Regression | None:
    """What would be worse about the version that serves, once an evaluation is recorded."""
    found = await versions.list_versions(session, model.field_id)
    rule = await versions.serving_rule(session, model.field_id)
    # They are looked at and not written.
    session.expunge_all()
    for version in found:
        if version.id == model.id:
            version.metrics = {**version.metrics, **_evaluated(evaluation, test_set)}
    return versions.find_regression(found, rule)


async def latest_mistakes(session: AsyncSession, model_id: int) -> dict[int, str] | None:
    """What the latest evaluation of a version took documents for, where that is wrong.

    None if it was not kept.
    """
    kept = select(Model.test_errors, Model.test_error_predictions).where(Model.id == model_id)
    documents, predicted = (await session.execute(kept)).one_or_none() or (None, None)
    if documents is None or predicted is None or len(documents) != len(predicted):
        return None
    return dict(zip(documents, predicted, strict=True))


def how_made(model: Model) -> dict[str, Any]:
    """What is known of how a version was made: of its files, and how many documents and classes.

    What another program has written in a way of its own is left out.
    """
    found = {name: model.manifest.get(name) for name in ("model_digest", "training_digest")}
    made: dict[str, Any] = {name: each for name, each in found.items() if isinstance(each, str)}
    for name in ("num_documents", "num_classes"):
        number = model.metrics.get(name)
        if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
            made[name] = number
    if isinstance(spec := model.manifest.get("spec"), dict):
        made["spec"] = spec
    if isinstance(libraries := model.manifest.get("library_versions"), dict):
        made["library_versions"] = {name: str(each) for name, each in libraries.items()}
    return made


def _evaluated(evaluation: dict[str, Any], test_set: dict[str, Any]) -> dict[str, Any]:
    return {"evaluation": evaluation, "test_set": test_set}
