"""``lexiclass-worker models ...``: the versions of a field's model, and which one serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape

from lexiclass.cli.evaluation import AllClasses
from lexiclass_worker.cli import gates, model_changes, model_pruning, model_report, model_signing
from lexiclass_worker.cli.connections import in_session
from lexiclass_worker.cli.output import AsJson, console, print_fields, print_json, print_rows, prose
from lexiclass_worker.cli.references import (
    FieldWords,
    Limit,
    VersionWords,
    resolve_lone_field,
    split_version,
    split_versions,
)
from lexiclass_worker.config import Settings, load_settings

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from lexiclass_core.models import Field, Model
    from lexiclass_core.versions import Regression

app = typer.Typer(help="Model versions.", no_args_is_help=True)

_COLUMNS: Final = (
    "version", "state", "plugins", "accuracy", "macro_f1", "trained_at", "documents", "features",
)  # fmt: skip


@app.command("list")
def list_models(words: FieldWords, as_json: AsJson = False) -> None:
    """List a field's model versions, newest first, and which one serves."""
    from lexiclass_core import versions

    settings = load_settings()
    field, models = _look(settings, resolve_lone_field(settings, words))
    serving = versions.serving(models, field.serve)
    regression = versions.find_regression(models, field.serve)
    rows = [_row(model, serving, regression) for model in models]
    if as_json:
        print_json(rows)
        return
    print_rows(_COLUMNS, [{**row, "state": _state(row), "plugins": _plugins(row)} for row in rows])
    console.print(_why_it_serves(field, serving))
    if regression is not None:
        console.print(f"[bold yellow]warning:[/] {escape(str(regression))}", highlight=False)


@app.command("show")
def show_model(
    words: VersionWords, all_classes: AllClasses = False, as_json: AsJson = False
) -> None:
    """Show one version: what it was trained with, how it was evaluated, where its files are."""
    from lexiclass_core import layout, versions
    from lexiclass_core.schemas import EvaluationMetrics
    from lexiclass_worker.artifacts.opening import open_storage
    from lexiclass_worker.cli.evaluation import print_evaluation

    named, version = split_version(words)
    settings = load_settings()
    field_id = resolve_lone_field(settings, named)
    field, models = _look(settings, field_id)
    model = _find(models, field_id, version)
    directory = layout.model_directory(field.project_id, field_id, version)
    files = open_storage(settings.storage.base_path).locate(directory)
    serving = versions.serving(models, field.serve)
    row = _row(model, serving, versions.find_regression(models, field.serve))
    if as_json:
        print_json({**row, "metrics": model.metrics, "manifest": model.manifest, "files": files})
        return
    rest = {name: value for name, value in model.metrics.items() if name in ("seconds", "error")}
    known = {
        name: value
        for name, value in row.items()
        if value is not None and name not in ("status", "use", "is_serving")
    }
    print_fields({"state": _state(row), **known, **rest, "files": files})
    if (evaluation := model.metrics.get("evaluation")) is not None:
        print_evaluation(EvaluationMetrics.model_validate(evaluation), all_classes=all_classes)


@app.command("compare")
def compare(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[PROJECT] FIELD VERSION...",
            help="Names, or the number of the field alone; then two or more versions.",
        ),
    ],
    all_classes: AllClasses = False,
    as_json: AsJson = False,
) -> None:
    """Hold versions against the first that is named: measures, classes, parameters, data."""
    from pydantic import TypeAdapter

    from lexiclass_worker.admin import comparison
    from lexiclass_worker.cli.comparison import print_comparison

    field, chosen = split_versions(words)
    if twice := [version for version in chosen if chosen.count(version) > 1]:
        raise typer.BadParameter(
            f"version {twice[0]} is named twice: it is the same as itself; name another"
        )
    if len(chosen) < 2:
        raise typer.BadParameter("name at least two versions")
    settings = load_settings()
    field_id = resolve_lone_field(settings, field)
    found = in_session(
        settings, lambda session: comparison.compare_versions(session, field_id, chosen)
    )
    if as_json:
        print_json(TypeAdapter(comparison.VersionComparison).dump_python(found, mode="json"))
    else:
        print_comparison(found, all_classes=all_classes)


@app.command("history")
def history(
    words: FieldWords,
    version: Annotated[int | None, typer.Option("--version", help="Of this version only.")] = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """Show who did what with a field's versions, when and why, latest first."""
    from lexiclass_core import versions

    settings = load_settings()
    field_id = resolve_lone_field(settings, words)
    events = in_session(
        settings,
        lambda session: versions.history(session, field_id, version=version, limit=limit),
    )
    rows: list[dict[str, Any]] = [
        {
            "at": event.created_at,
            "version": event.version,
            "action": event.action,
            "by": event.done_by,
            "reason": event.reason,
            "training_digest": event.training_digest,
            "details": event.details,
        }
        for event in events
    ]
    if as_json:
        print_json(rows)
        return
    short = [
        {
            **row,
            "training_digest": (row["training_digest"] or "-")[:12],
            "details": gates.in_short(row["details"]),
        }
        for row in rows
    ]
    columns = (
        "at",
        "version",
        "action",
        "by",
        prose("reason"),
        "training_digest",
        prose("details"),
    )
    print_rows(columns, short)


app.command("report")(model_report.report)
app.command("serve")(model_changes.serve)
app.command("gates")(gates.gates)
app.command("promote")(model_changes.promote)
app.command("rollback")(model_changes.rollback)
app.command("retire")(model_changes.retire)
app.command("reinstate")(model_changes.reinstate)
app.command("prune")(model_pruning.prune)
app.command("sign")(model_signing.sign)


def _row(model: Model, serving: Model | None, regression: Regression | None) -> dict[str, Any]:
    metrics = model.metrics
    return {
        "version": model.version,
        "status": model.status,
        "use": _use(model, serving),
        "is_serving": model is serving,
        "tokenizer": metrics.get("tokenizer"),
        "feature_extractor": metrics.get("feature_extractor"),
        "classifier": metrics.get("classifier"),
        "documents": metrics.get("num_documents"),
        "features": metrics.get("num_features"),
        "accuracy": model.accuracy,
        "macro_f1": metrics.get("evaluation", {}).get("macro_f1"),
        "trained_at": model.trained_at,
        "promoted_at": model.promoted_at,
        "retired_at": model.retired_at,
        "pruned_at": model.pruned_at,
        "training_digest": model.training_digest,
        "worse_than": _worse(regression) if model is serving else None,
    }


def _worse(regression: Regression | None) -> dict[str, Any] | None:
    if regression is None:
        return None
    return {
        "version": regression.replaced,
        "measures": {
            name: {"before": before, "now": now}
            for name, (before, now) in regression.measures.items()
        },
    }


def _state(row: dict[str, Any]) -> str:
    """One word: what a version is there for says more than that it is ready."""
    return str(row["use"] or row["status"])


def _plugins(row: dict[str, Any]) -> str | None:
    named = [row[name] for name in ("tokenizer", "feature_extractor", "classifier")]
    return " + ".join(map(str, named)) if any(named) else None


def _why_it_serves(field: Field, serving: Model | None) -> str:
    from lexiclass_core.models import ServingRule

    if serving is None and field.serve == ServingRule.PROMOTED:
        return "no version serves: only one that is promoted may, and none is"
    if serving is None:
        return "no version serves: none is ready"
    if serving.promoted_at is not None:
        return f"version {serving.version} serves: it is promoted"
    return f"version {serving.version} serves: it is the newest that is ready, none is promoted"


def _use(model: Model, serving: Model | None) -> str | None:
    if model.promoted_at is not None:
        return "promoted"
    if model is serving:
        return "serves"
    if model.pruned_at is not None:
        return "pruned"
    return None if model.retired_at is None else "retired"


def _find(models: list[Model], field_id: int, version: int) -> Model:
    from lexiclass_core import versions

    for model in models:
        if model.version == version:
            return model
    raise versions.VersionNotFound.of(field_id, version)


def _look(settings: Settings, field_id: int) -> tuple[Field, list[Model]]:
    """A field and its versions."""
    from lexiclass_core import versions

    async def look(session: AsyncSession) -> tuple[Field, list[Model]]:
        field = await versions.require_field(session, field_id)
        return field, await versions.list_versions(session, field_id)

    return in_session(settings, look)
