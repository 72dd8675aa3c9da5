"""``lexiclass-worker predict --text``: a text that is in no project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lexiclass_worker.cli.connections import in_context
from lexiclass_worker.cli.output import console, print_json, print_rows
from lexiclass_worker.cli.references import find_field
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_worker.admin.context import AdminContext
    from lexiclass_worker.admin.text_prediction import TextPrediction


def print_text_prediction(
    project: str,
    field: str,
    text: str | None,
    file: Path | None,
    *,
    version: int | None,
    top: int,
    as_json: bool,
) -> None:
    """Predict a text, or that of a file, and print the most probable classes."""
    from lexiclass_worker.admin.given_text import read_text
    from lexiclass_worker.admin.text_prediction import predict_text

    settings = load_settings()
    if file is not None:
        text = read_text(file, max_bytes=settings.limits.document_bytes)
    given = text or ""

    async def predict(context: AdminContext) -> tuple[int, int, TextPrediction]:
        project_id, field_id = await find_field(context.sessions, project, field)
        found = await predict_text(context, project_id, field_id, given, version=version, top=top)
        return project_id, field_id, found

    project_id, field_id, found = in_context(settings, predict)
    if as_json:
        print_json(
            {
                "project_id": project_id,
                "field_id": field_id,
                "model_version": found.model_version,
                "predicted_class": found.predicted.class_name,
                "confidence": found.predicted.probability,
                "familiarity": found.familiarity,
                "unfamiliar": found.is_unfamiliar,
                "probabilities": [probable._asdict() for probable in found.probabilities],
            }
        )
        return
    rows = [
        {"class": name, "probability": f"{probability:.4f}"}
        for name, probability in found.probabilities
    ]
    print_rows(("class", "probability"), rows)
    if found.is_unfamiliar and found.familiarity is not None:
        console.print(
            f"unfamiliar (familiarity {found.familiarity:.2g}): unlike what the model was trained "
            "on, so the probabilities may not hold"
        )
    console.print(f"by version {found.model_version}; nothing is stored")
