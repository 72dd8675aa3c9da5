"""``lexiclass-worker models ...``."""

import asyncio
from typing import Annotated, Any

import typer

from lexiclass_core import layout
from lexiclass_core.models import Field, Model
from lexiclass_core.schemas import EvaluationMetrics
from lexiclass_worker.cli.connections import open_sessions
from lexiclass_worker.cli.evaluation import print_evaluation
from lexiclass_worker.cli.output import AsJson, print_fields, print_json, print_rows
from lexiclass_worker.config import Settings, load_settings
from lexiclass_worker.errors import NotFound
from lexiclass_worker.repositories import models
from lexiclass_worker.storage import open_storage

app = typer.Typer(help="Model versions.", no_args_is_help=True)

FieldId = Annotated[int, typer.Argument(help="Id of the field.")]


@app.command("list")
def list_models(field_id: FieldId, as_json: AsJson = False) -> None:
    """List a field's model versions, newest first."""
    _, versions = asyncio.run(_versions(load_settings(), field_id))
    rows = [_row(model) for model in versions]
    columns = ("version", "status", "classifier", "documents", "features", "accuracy", "trained_at")
    print_json(rows) if as_json else print_rows(columns, rows)


@app.command("show")
def show_model(
    field_id: FieldId,
    version: Annotated[int, typer.Argument(help="Which version.")],
    as_json: AsJson = False,
) -> None:
    """Show one version: what it was trained with, how it was evaluated, where its files are."""
    settings = load_settings()
    project_id, versions = asyncio.run(_versions(settings, field_id))
    model = next((model for model in versions if model.version == version), None)
    if model is None:
        raise NotFound(f"field {field_id} has no model version {version}")
    directory = layout.model_directory(project_id, field_id, version)
    files = open_storage(settings.storage.base_path).locate(directory)
    if as_json:
        print_json({**_row(model), "metrics": model.metrics, "files": files})
        return
    rest = {name: value for name, value in model.metrics.items() if name in ("seconds", "error")}
    print_fields({**_row(model), **rest, "files": files})
    if (evaluation := model.metrics.get("evaluation")) is not None:
        print_evaluation(EvaluationMetrics.model_validate(evaluation))


def _row(model: Model) -> dict[str, Any]:
    metrics = model.metrics
    return {
        "version": model.version,
        "status": model.status,
        "tokenizer": metrics.get("tokenizer"),
        "feature_extractor": metrics.get("feature_extractor"),
        "classifier": metrics.get("classifier"),
        "documents": metrics.get("num_documents"),
        "features": metrics.get("num_features"),
        "accuracy": model.accuracy,
        "trained_at": model.trained_at,
    }


async def _versions(settings: Settings, field_id: int) -> tuple[int, list[Model]]:
    async with open_sessions(settings) as sessions, sessions() as session:
        field = await session.get(Field, field_id)
        if field is None:
            raise NotFound(f"field {field_id} does not exist")
        return field.project_id, await models.list_versions(session, field_id)
