"""``lexiclass-worker index|train|predict|evaluate``: submit a task, and wait for it if asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexiclass.cli.evaluation import AllClasses
from lexiclass.cli.option_groups import grouped
from lexiclass.plugins.plugin_type import PluginType
from lexiclass_core.queue_config import HIGHEST_PRIORITY, LOWEST_PRIORITY
from lexiclass_worker.cli.connections import open_client
from lexiclass_worker.cli.follow import require_success, silence, view_on, watch
from lexiclass_worker.cli.output import AsJson, console, errors, print_json
from lexiclass_worker.cli.parameters import IndexParameters, PipelineParameters
from lexiclass_worker.cli.references import FieldName, ProjectName, resolve, resolve_documents
from lexiclass_worker.cli.results import print_result
from lexiclass_worker.cli.text_files import TextFile
from lexiclass_worker.cli.text_prediction import print_text_prediction
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass_core.schemas import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitting:
    """How a request is submitted, and what is printed of it."""

    priority: Annotated[
        int | None,
        typer.Option(
            min=HIGHEST_PRIORITY,
            max=LOWEST_PRIORITY,
            help="Lower goes first in its queue. Default: 0 to predict, 10 to evaluate, else 20.",
        ),
    ] = None
    wait: Annotated[bool, typer.Option("--wait", help="Show progress and wait for the result.")] = (
        False
    )
    as_json: AsJson = False


Version = Annotated[
    int | None,
    typer.Option("--model-version", "--version", help="Default: the one that serves."),
]


@grouped
def index(
    project: ProjectName,
    full: Annotated[bool, typer.Option("--full", help="Index everything anew.")] = False,
    tokenizer: Annotated[str, typer.Option()] = "icu",
    locale: Annotated[str | None, typer.Option()] = None,
    features: Annotated[
        str | None, typer.Option(help="Also index the embeddings of this feature extractor.")
    ] = None,
    *,
    params: IndexParameters,
    how: Submitting,
) -> None:
    """Index a project's documents."""
    from lexiclass_core.schemas import IndexDocuments

    parameters = params.read(tokenizer=tokenizer, feature_extractor=features)
    request = _request(
        IndexDocuments,
        **_ids(project),
        is_incremental=not full,
        tokenizer=tokenizer,
        locale=locale,
        tokenizer_params=parameters[PluginType.TOKENIZER] or None,
        feature_extractor=features,
        feature_extractor_params=parameters[PluginType.FEATURE_EXTRACTOR] or None,
    )
    submit(request, how)


@grouped
def train(
    project: ProjectName,
    field: FieldName,
    tokenizer: Annotated[str, typer.Option()] = "icu",
    features: Annotated[str, typer.Option(help="Feature extractor.")] = "tfidf",
    classifier: Annotated[str, typer.Option()] = "svm",
    locale: Annotated[str | None, typer.Option()] = None,
    *,
    params: PipelineParameters,
    how: Submitting,
) -> None:
    """Train the next version of a field's model."""
    from lexiclass_core.schemas import TrainFieldModel

    parameters = params.read(tokenizer=tokenizer, feature_extractor=features, classifier=classifier)
    request = _request(
        TrainFieldModel,
        **_ids(project, field),
        tokenizer=tokenizer,
        feature_extractor=features,
        classifier=classifier,
        locale=locale,
        **{f"{place}_params": found for place, found in parameters.items()},
    )
    submit(request, how)


@grouped
def predict(
    project: ProjectName,
    field: FieldName,
    document: Annotated[
        list[str] | None,
        typer.Option(help="Number of a document, or its id in the source; all if not given."),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Any text: its prediction is printed, nothing is stored.")
    ] = None,
    file: TextFile = None,
    top: Annotated[
        int, typer.Option(min=1, help="Of --text or --file: most classes that are printed.")
    ] = 5,
    model_version: Version = None,
    accept_at: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            metavar="ACCURACY",
            help="Mark predictions as accepted or to be reviewed, so that accepted ones are this "
            "accurate: 0.9, 0.95, 0.98 or 0.99, as the evaluation certifies it.",
        ),
    ] = None,
    accept_confidence: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="The same from a confidence on; nothing is certified."),
    ] = None,
    *,
    how: Submitting,
) -> None:
    """Predict a field for some documents, for all of a project, or here and now for a text."""
    from lexiclass_core.schemas import PredictFieldDocuments

    accept = _accept(accept_at, accept_confidence)
    if text is not None or file is not None:
        others = (document, how.wait, how.priority is not None, accept, None not in (text, file))
        if any(others):
            raise typer.BadParameter(
                "--text or --file is predicted at once: leave out --document, --wait, --priority, "
                "--accept-at, --accept-confidence"
            )
        print_text_prediction(
            project, field, text, file, version=model_version, top=top, as_json=how.as_json
        )
        return
    ids = _ids(project, field)
    documents = resolve_documents(load_settings(), ids["project_id"], document or [])
    request = _request(
        PredictFieldDocuments,
        **ids,
        document_ids=documents or None,
        model_version=model_version,
        accept_at=accept,
    )
    submit(request, how)


def _accept(accuracy: float | None, confidence: float | None) -> dict[str, float] | None:
    if accuracy is not None and confidence is not None:
        raise typer.BadParameter("give one of --accept-at and --accept-confidence")
    if accuracy is not None:
        return {"accuracy": accuracy}
    return None if confidence is None else {"confidence": confidence}


SliceBy = Annotated[
    list[str] | None,
    typer.Option(
        "--slice-by",
        metavar="KEY",
        help="Key of the documents' metadata by whose values the report divides them; repeatable.",
    ),
]


@grouped
def evaluate(
    project: ProjectName,
    field: FieldName,
    model_version: Version = None,
    all_classes: AllClasses = False,
    slice_by: SliceBy = None,
    *,
    how: Submitting,
) -> None:
    """Measure a model on its field's test labels."""
    from lexiclass_core.schemas import EvaluateFieldModel

    request = _request(
        EvaluateFieldModel,
        **_ids(project, field),
        model_version=model_version,
        slice_by=slice_by or None,
    )
    submit(request, how, all_classes=all_classes)


def _ids(project: str, field: str | None = None) -> dict[str, int]:
    project_id, field_id = resolve(load_settings(), project, field)
    return (
        {"project_id": project_id}
        if field is None
        else {"project_id": project_id, "field_id": field_id}
    )


def _request(schema: type[Request], **values: Any) -> Request:
    # What was not given is left to the worker's defaults; document_ids is null on purpose.
    given = {
        name: value for name, value in values.items() if value is not None or name == "document_ids"
    }
    return make_request(schema, **given)


def make_request(schema: type[Request], **arguments: Any) -> Request:
    """Make a request.

    Raises:
        BadParameter: If an argument is missing, unknown, or not what it must be.
    """
    from pydantic import ValidationError

    from lexiclass_worker.errors import translate

    try:
        return schema.model_validate(arguments)
    except ValidationError as error:
        raise typer.BadParameter(translate(error).message) from error


def submit(request: Request, how: Submitting, *, all_classes: bool = False) -> None:
    """Submit a request, wait for the result if asked, and print what is known then."""
    from lexiclass_core.operations import OPERATIONS

    with open_client(load_settings()) as client:
        task = client.submit(request, priority=how.priority)
        if how.wait and how.as_json:
            task = watch(client, task.id, "", silence)
        elif how.wait:
            task = require_success(watch(client, task.id, str(request.actor_name), view_on(errors)))
    if how.as_json:
        print_json({**asdict(task), "error": task.error and task.error.model_dump()})
        if task.error is not None:
            raise typer.Exit(1)
    elif task.result is not None:
        result = OPERATIONS[request.actor_name].result.model_validate(task.result)
        print_result(result, all_classes=all_classes)
    else:
        console.print(
            f"task {task.id} is {task.status}; lexiclass-worker tasks watch {task.id} follows it"
        )
