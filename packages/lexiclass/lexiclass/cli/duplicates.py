"""``lexiclass duplicates``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lexiclass.cli.output import AsJson, print_json, print_rows


def duplicates(
    directory: Annotated[Path, typer.Argument(metavar="INDEX", help="Directory of an index.")],
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Lowest cosine of a pair of near-duplicates, up to 1.", show_default="0.9"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Group the documents of an index that are the same, or nearly."""
    from lexiclass.index import NEAR_DUPLICATE, DocumentIndex, find_duplicates

    threshold = NEAR_DUPLICATE if threshold is None else threshold
    groups = find_duplicates(DocumentIndex.open(directory), threshold=threshold)
    if as_json:
        print_json(
            {
                "threshold": threshold,
                "num_groups": len(groups),
                "num_documents": sum(map(len, groups)),
                "groups": [[document._asdict() for document in group] for group in groups],
            }
        )
        return
    rows = (
        {"group": number, "document": document.id, "similarity": document.similarity}
        | {"same content": "yes" if document.is_identical else "no"}
        for number, group in enumerate(groups, start=1)
        for document in group
    )
    print_rows(("group", "document", "similarity", "same content"), rows)
