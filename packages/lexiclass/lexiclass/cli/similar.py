"""``lexiclass similar``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from lexiclass.cli.output import AsJson, print_json, print_rows
from lexiclass.errors import InvalidParameters


def similar(
    directory: Annotated[Path, typer.Argument(metavar="INDEX", help="Directory of an index.")],
    document_id: Annotated[
        list[int] | None,
        typer.Option("--id", help="A document of the index; can be given more than once."),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Any text; can be given more than once.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most results for each.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Find the documents of an index that are most like a document or a text."""
    from lexiclass.index import DocumentIndex, SimilaritySearch

    ids, texts = document_id or [], text or []
    if not ids and not texts:
        raise InvalidParameters("Give --id or --text, to say what to look for.")
    search = SimilaritySearch(DocumentIndex.open(directory))
    queries: list[int | str] = [*ids, *texts]
    found = search.by_ids(ids, limit=limit)
    if texts:  # a tokenizer is made only where one is needed
        found += search.by_texts(texts, limit=limit)
    if as_json:
        print_json(
            [
                {"query": query, "similar": [neighbour._asdict() for neighbour in neighbours]}
                for query, neighbours in zip(queries, found, strict=True)
            ]
        )
        return
    rows: list[dict[str, Any]] = [
        {"query": query, "rank": rank, "document": neighbour.id, "similarity": neighbour.similarity}
        for query, neighbours in zip(queries, found, strict=True)
        for rank, neighbour in enumerate(neighbours, start=1)
    ]
    print_rows(("query", "rank", "document", "similarity"), rows)
