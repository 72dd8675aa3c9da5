"""``lexiclass-worker similar`` and ``duplicates``: what a project's indexes say of its documents.

Both work here and now, on the storage and the database; no worker need run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lexiclass.cli.option_groups import grouped
from lexiclass.plugins.plugin_type import PluginType
from lexiclass_worker.cli.connections import in_context
from lexiclass_worker.cli.output import AsJson, console, print_json, print_rows, prose
from lexiclass_worker.cli.parameters import IndexParameters, TokenizerParameters
from lexiclass_worker.cli.references import ProjectName, resolve, resolve_documents
from lexiclass_worker.cli.text_files import TextFile
from lexiclass_worker.config import load_settings

if TYPE_CHECKING:
    from lexiclass import Duplicate, Neighbour
    from lexiclass_worker.admin.context import AdminContext
    from lexiclass_worker.admin.documents import Description
    from lexiclass_worker.admin.similarity import DuplicateGroup

_EXCERPT: Final = 60

Tokenizer = Annotated[str, typer.Option(help="Of the index.")]
Locale = Annotated[str | None, typer.Option(help="Of the index; LEXICLASS_LOCALE if not given.")]


@grouped
def similar(
    project: ProjectName,
    document: Annotated[
        str | None, typer.Argument(help="A document: its number, or its id in the source.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="Any text, instead of a document.")] = None,
    file: TextFile = None,
    limit: Annotated[int, typer.Option("--limit", "-k", min=1, help="Most results.")] = 10,
    tokenizer: Tokenizer = "icu",
    locale: Locale = None,
    features: Annotated[
        str | None, typer.Option(help="Compare the embeddings of this feature extractor instead.")
    ] = None,
    as_json: AsJson = False,
    *,
    params: IndexParameters,
) -> None:
    """Find the documents of a project that are most like one of them, or like a text."""
    from lexiclass_worker.admin.documents import describe
    from lexiclass_worker.admin.given_text import read_text
    from lexiclass_worker.admin.similarity import IndexChoice, find_similar
    from lexiclass_worker.admin.texts import excerpt

    settings = load_settings()
    given = [value for value in (document, text, file) if value is not None]
    if len(given) != 1:
        raise typer.BadParameter("name a document, or give --text, or --file: one of them")
    parameters = params.read(tokenizer=tokenizer, feature_extractor=features)
    project_id, _ = resolve(settings, project)
    query: int | str = text or ""
    if document is not None:
        (query,) = resolve_documents(settings, project_id, [document])
    elif file is not None:
        query = read_text(file, max_bytes=settings.limits.document_bytes)
    choice = IndexChoice(
        project_id=project_id,
        tokenizer=tokenizer,
        tokenizer_params=parameters[PluginType.TOKENIZER],
        locale=locale or settings.lexiclass_locale,
        feature_extractor=features,
        feature_extractor_params=parameters[PluginType.FEATURE_EXTRACTOR],
    )

    async def find(
        context: AdminContext,
    ) -> tuple[list[Neighbour], dict[int, Description]]:
        found = await find_similar(context, choice, query, limit=limit)
        ids = [int(neighbour.id) for neighbour in found]
        return found, await describe(context, project_id, ids)

    neighbours, described = in_context(settings, find)
    rows = [
        {
            "rank": rank,
            "document": neighbour.id,
            "similarity": neighbour.similarity,
            **described[int(neighbour.id)]._asdict(),
        }
        for rank, neighbour in enumerate(neighbours, start=1)
    ]
    if as_json:
        print_json(rows)
    elif rows:
        short = [{**row, "text": excerpt(row["excerpt"], _EXCERPT)} for row in rows]
        print_rows(("rank", "document", "similarity", "source", prose("text")), short)
    else:
        console.print("No document shares a word with it.")


@grouped
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
    as_json: AsJson = False,
    *,
    params: TokenizerParameters,
) -> None:
    """Group the documents of a project that are the same, or nearly, and compare their labels."""
    from lexiclass.index import NEAR_DUPLICATE
    from lexiclass_worker.admin.documents import describe
    from lexiclass_worker.admin.similarity import IndexChoice, report_duplicates

    settings = load_settings()
    threshold = NEAR_DUPLICATE if threshold is None else threshold
    parameters = params.read(tokenizer=tokenizer)
    project_id, _ = resolve(settings, project)
    choice = IndexChoice(
        project_id=project_id,
        tokenizer=tokenizer,
        tokenizer_params=parameters[PluginType.TOKENIZER],
        locale=locale or settings.lexiclass_locale,
    )

    async def find(
        context: AdminContext,
    ) -> tuple[list[DuplicateGroup], dict[int, Description]]:
        groups = await report_duplicates(context, choice, threshold=threshold)
        ids = [int(document.id) for group in groups for document in group.documents]
        return groups, await describe(context, project_id, ids)

    groups, described = in_context(settings, find)
    if as_json:
        print_json(
            {
                "project_id": project_id,
                "threshold": threshold,
                "num_groups": len(groups),
                "num_documents": sum(len(group.documents) for group in groups),
                "groups": [_fields(group, described) for group in groups],
            }
        )
        return
    _print(groups, described, threshold)


def _fields(group: DuplicateGroup, described: dict[int, Description]) -> dict[str, Any]:
    def fields(document: Duplicate) -> dict[str, Any]:
        labels = [label._asdict() for label in group.labels.get(document.id, ())]
        return {**document._asdict(), "labels": labels, **described[int(document.id)]._asdict()}

    return {
        "documents": list(map(fields, group.documents)),
        "conflicts": group.conflicts,
        "crossings": group.crossings,
    }


def _print(
    groups: list[DuplicateGroup], described: dict[int, Description], threshold: float
) -> None:
    from lexiclass_worker.admin.texts import excerpt

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
            "source": described[int(document.id)].source,
            "text": excerpt(described[int(document.id)].excerpt, _EXCERPT),
        }
        for number, group in enumerate(groups, start=1)
        for place, document in enumerate(group.documents)
    ]
    columns = (
        "group", "document", "similarity", prose("labels"), "source", prose("text"), "same content",
    )  # fmt: skip
    print_rows(columns, rows)
    conflicting = sum(bool(group.conflicts) for group in groups)
    crossing = sum(bool(group.crossings) for group in groups)
    console.print(
        f"{len(rows)} documents, groups: {len(groups)}; with different classes in one field: "
        f"{conflicting}; in both training and test data of one field: {crossing}"
    )
