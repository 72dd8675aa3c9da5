"""``lexiclass index``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexiclass.cli.corpus import AnyCorpus, Corpus, UnlabelledOptions
from lexiclass.cli.option_groups import grouped
from lexiclass.cli.output import AsJson, print_report, rounded
from lexiclass.cli.parameters import Params, assign
from lexiclass.cli.progress import progress_bar
from lexiclass.errors import InvalidParameters
from lexiclass.plugins.plugin_type import PluginType
from lexiclass.spec import PipelineSpec

if TYPE_CHECKING:
    from lexiclass.io import Document

_DEFAULT = PipelineSpec()


@grouped
def index(
    corpus: AnyCorpus,
    directory: Annotated[
        Path, typer.Argument(metavar="INDEX", help="Directory to make or to bring up to date.")
    ],
    tokenizer: Annotated[str, typer.Option()] = _DEFAULT.tokenizer,
    locale: Annotated[str, typer.Option(help="Language of the documents.")] = _DEFAULT.locale,
    param: Params = None,
    full: Annotated[
        bool, typer.Option("--full", help="Tokenize everything anew, also what is unchanged.")
    ] = False,
    *,
    reading: UnlabelledOptions,
    as_json: AsJson = False,
) -> None:
    """Index documents, which are all there are: what is no longer among them is taken out.

    If the first document has an id that is a whole number, all must have one. Otherwise documents
    are numbered from 1 in the order they are read.
    """
    from lexiclass.index import build_index
    from lexiclass.plugins.builtin import default_registry

    registry = default_registry()
    info = registry.get(PluginType.TOKENIZER, tokenizer)
    parameters = assign([info], param or ())[info.type]
    documents = reading.open(corpus)
    with progress_bar() as tell:
        report = build_index(
            directory,
            _numbered(documents),
            tokenizer=tokenizer,
            locale=locale,
            params=parameters,
            is_incremental=not full,
            registry=registry,
            progress=tell,
        )
    print_report(
        {
            "index": str(directory),
            "documents": report.num_documents,
            "added": report.added,
            "changed": report.changed,
            "unchanged": report.unchanged,
            "removed": report.removed,
            "terms": report.num_terms,
            "generation": report.generation,
            "rebuilt_because": report.rebuilt_because,
            "seconds": rounded(report.stage_seconds),
            **documents.report(),
        },
        as_json=as_json,
    )


def _numbered(documents: Corpus) -> Iterator[Document]:
    from lexiclass.io import Document
    from lexiclass.manifest import text_digest

    has_ids = False
    for number, record in enumerate(documents, start=1):
        given = _whole_number(record.id)
        if number == 1:
            has_ids = given is not None
        if has_ids and given is None:
            raise InvalidParameters(
                f"{record.where} has the id {record.id!r}; the first document has a whole number, "
                "so all need one.",
                details={"where": record.where, "id": record.id},
            )
        document_id = given if has_ids and given is not None else number
        yield Document(document_id, record.text, text_digest(record.text), "utf-8")


def _whole_number(name: str | None) -> int | None:
    try:
        return None if name is None else int(name)
    except ValueError:
        return None
