"""``lexiclass-worker similar`` and ``duplicates``: what a project's indexes say of its documents.

Both work here and now, on the storage and the database; no worker need run.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lexiclass.plugins.plugin_type import PluginType
from lexiclass_worker.cli.connections import open_sessions
from lexiclass_worker.cli.output import AsJson, console, print_json, print_rows, prose
from lexiclass_worker.cli.parameters import (
    FeaturesJson,
    FeaturesParam,
    Given,
    Params,
    TokenizerJson,
    TokenizerParam,
    read_parameters,
)
from lexiclass_worker.cli.references import ProjectName, resolve
from lexiclass_worker.config import Settings, load_settings

if TYPE_CHECKING:
    from lexiclass import Duplicate, Neighbour
    from lexiclass_worker.services.similarity import DuplicateGroup, IndexChoice

Tokenizer = Annotated[str, typer.Option(help="Of the index.")]
Locale = Annotated[str | None, typer.Option(help="Of the index; LEXICLASS_LOCALE if not given.")]


def similar(
    project: ProjectName,
    document_id: Annotated[int | None, typer.Argument(help="A document of the project.")] = None,
    text: Annotated[str | None, typer.Option(help="Any text, instead of a document.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="A file with a text, in any usual encoding.", exists=True)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-k", min=1, help="Most results.")] = 10,
    tokenizer: Tokenizer = "icu",
    locale: Locale = None,
    features: Annotated[
        str | None, typer.Option(help="Compare the embeddings of this feature extractor instead.")
    ] = None,
    param: Params = None,
    tokenizer_param: TokenizerParam = None,
    features_param: FeaturesParam = None,
    tokenizer_params: TokenizerJson = "{}",
    features_params: FeaturesJson = "{}",
    as_json: AsJson = False,
) -> None:
    """Find the documents of a project that are most like one of them, or like a text."""
    from lexiclass_worker.services.similarity import IndexChoice

    settings = load_settings()
    query = _query(document_id, text, file)
    parameters = read_parameters(
        param,
        tokenizer=Given(tokenizer, tokenizer_param, tokenizer_params),
        feature_extractor=Given(features, features_param, features_params),
    )
    project_id, _ = resolve(settings, project)
    choice = IndexChoice(
        project_id=project_id,
        tokenizer=tokenizer,
        tokenizer_params=parameters[PluginType.TOKENIZER],
        locale=locale or settings.lexiclass_locale,
        feature_extractor=features,
        feature_extractor_params=parameters[PluginType.FEATURE_EXTRACTOR],
    )
    rows = [
        {"rank": rank, "document": neighbour.id, "similarity": neighbour.similarity}
        for rank, neighbour in enumerate(
            asyncio.run(_similar(settings, choice, query, limit)), start=1
        )
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(("rank", "document", "similarity"), rows)
    else:
        console.print("No document shares a word with it.")


def duplicates(
    project: ProjectName,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Lowest cosine of a pair of near-duplicates.", show_default="0.9"
        ),
    ] = None,
    tokenizer: Tokenizer = "icu",
    locale: Locale = None,
    param: Params = None,
    tokenizer_param: TokenizerParam = None,
    tokenizer_params: TokenizerJson = "{}",
    as_json: AsJson = False,
) -> None:
    """Group the documents of a project that are the same, or nearly, and compare their labels."""
    from lexiclass.index import NEAR_DUPLICATE
    from lexiclass_worker.services.similarity import IndexChoice

    settings = load_settings()
    threshold = NEAR_DUPLICATE if threshold is None else threshold
    parameters = read_parameters(
        param, tokenizer=Given(tokenizer, tokenizer_param, tokenizer_params)
    )
    project_id, _ = resolve(settings, project)
    choice = IndexChoice(
        project_id=project_id,
        tokenizer=tokenizer,
        tokenizer_params=parameters[PluginType.TOKENIZER],
        locale=locale or settings.lexiclass_locale,
    )
    groups = asyncio.run(_duplicates(settings, choice, threshold))
    if as_json:
        print_json(
            {
                "project_id": project_id,
                "threshold": threshold,
                "num_groups": len(groups),
                "num_documents": sum(len(group.documents) for group in groups),
                "groups": list(map(_fields, groups)),
            }
        )
        return
    _print(groups, threshold)


def _query(document_id: int | None, text: str | None, file: Path | None) -> int | str:
    from lexiclass import DocumentLoader, LexiClassError
    from lexiclass_worker.errors import InvalidRequest

    given: list[int | str | Path] = [
        value for value in (document_id, text, file) if value is not None
    ]
    if len(given) != 1:
        raise typer.BadParameter("give the id of a document, or --text, or --file: one of them")
    if not isinstance(given[0], Path):
        return given[0]
    try:
        return DocumentLoader().load(0, given[0]).text
    except LexiClassError as error:
        raise InvalidRequest(error.message) from error


async def _similar(
    settings: Settings, choice: IndexChoice, query: int | str, limit: int
) -> list[Neighbour]:
    from lexiclass_worker.services.similarity import find_similar
    from lexiclass_worker.storage import open_storage

    storage = open_storage(settings.storage.base_path)
    async with open_sessions(settings) as sessions:
        return await find_similar(sessions, storage, settings, choice, query, limit=limit)


async def _duplicates(
    settings: Settings, choice: IndexChoice, threshold: float
) -> list[DuplicateGroup]:
    from lexiclass_worker.services.similarity import report_duplicates
    from lexiclass_worker.storage import open_storage

    storage = open_storage(settings.storage.base_path)
    async with open_sessions(settings) as sessions:
        return await report_duplicates(sessions, storage, settings, choice, threshold=threshold)


def _fields(group: DuplicateGroup) -> dict[str, Any]:
    def describe(document: Duplicate) -> dict[str, Any]:
        labels = [label._asdict() for label in group.labels.get(document.id, ())]
        return {**document._asdict(), "labels": labels}

    return {
        "documents": list(map(describe, group.documents)),
        "conflicts": group.conflicts,
        "crossings": group.crossings,
    }


def _print(groups: list[DuplicateGroup], threshold: float) -> None:
    if not groups:
        console.print(f"No two documents have a cosine of {threshold:g} or more.")
        return
    rows = [
        {
            "group": number if place == 0 else "",
            "document": document.id,
            "similarity": document.similarity,
            "same content": "yes" if document.is_identical else "no",
            "labels": ", ".join(
                f"{label.field}: {label.class_name} "
                f"({'training' if label.is_training_data else 'test'})"
                for label in group.labels.get(document.id, ())
            ),
        }
        for number, group in enumerate(groups, start=1)
        for place, document in enumerate(group.documents)
    ]
    print_rows(("group", "document", "similarity", "same content", prose("labels")), rows)
    conflicting = sum(bool(group.conflicts) for group in groups)
    crossing = sum(bool(group.crossings) for group in groups)
    console.print(
        f"{len(rows)} documents, groups: {len(groups)}; with different classes in one field: "
        f"{conflicting}; in both training and test data of one field: {crossing}"
    )
