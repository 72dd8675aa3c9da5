"""Options that say how a corpus is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from lexiclass_worker.admin.import_report import ImportRequest

_LABEL: Final = "label"

CorpusPath = Annotated[
    Path,
    typer.Argument(
        help="A folder per class; or train/ and test/ with such folders; or documents and "
        "labels.csv/.tsv (id, label, split); or one table or JSON file with text, label and split.",
    ),
]
Unlabelled = Annotated[
    bool, typer.Option("--unlabelled", help="The corpus needs no labels: to predict, say.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusOptions:
    """How a corpus is read."""

    field: Annotated[
        list[str] | None,
        typer.Option(
            "--field",
            metavar="NAME[=COLUMN]",
            help="Field that the labels answer, and the column they are in: label if not said. Can "
            "be given more than once.",
        ),
    ] = None
    text_column: Annotated[str, typer.Option(help="Column or JSON key of the texts.")] = "text"
    label_column: Annotated[
        list[str] | None,
        typer.Option(
            "--label-column",
            metavar="[FIELD=]COLUMN",
            help="Column or JSON key of the labels. Can be given more than once.",
        ),
    ] = None
    split_column: Annotated[
        str | None,
        typer.Option(help="Column or JSON key of the splits: split if there; '' for none."),
    ] = None
    id_column: Annotated[
        str | None, typer.Option(help="Column or JSON key of the ids: id if there; '' for none.")
    ] = None
    test: Annotated[
        Path | None,
        typer.Option("--test", metavar="PATH", help="A separate test set: a folder or a file."),
    ] = None
    test_fraction: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of the labels without a split that become test data."
        ),
    ] = 0.2
    document_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="What files of a folder are in that could be plain text: email, html, markdown, "
            "or text, as it is. Recognised if not said.",
        ),
    ] = None
    max_refused: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="If a larger share of the records is refused, nothing is imported."
        ),
    ] = 0.5

    def request(
        self,
        path: Path,
        project: int | str,
        *,
        labelled: bool,
        max_bytes: int,
        default_field: str = _LABEL,
    ) -> ImportRequest:
        """What is to be imported, by these options.

        Raises:
            BadParameter: If they do not say which column is which field's.
        """
        from lexiclass.corpora import Columns
        from lexiclass_worker.admin.import_report import ImportRequest

        labels = label_columns(self.field, self.label_column, default=default_field)
        return ImportRequest(
            path=path,
            project=project,
            test_fraction=self.test_fraction,
            max_bytes=max_bytes,
            columns=Columns(
                text=self.text_column, labels=labels, split=self.split_column, id=self.id_column
            ),
            labelled=labelled,
            test=self.test,
            max_refused=self.max_refused,
            document_format=self.document_format,
        )


def label_columns(
    fields: Sequence[str] | None, columns: Sequence[str] | None, *, default: str = _LABEL
) -> dict[str, str]:
    """Return the column of each field.

    Args:
        fields: As of ``--field``: NAME or NAME=COLUMN.
        columns: As of ``--label-column``: COLUMN or FIELD=COLUMN.
        default: The field where none is named.

    Raises:
        BadParameter: If a field has no column, or one has several, or a column is two fields'.
    """
    named = [_parts(option) for option in fields or ()]
    named += [_parts(option) for option in columns or () if "=" in option]
    given = [option.strip() for option in columns or () if "=" not in option]
    if not named and len(given) > 1:
        named = [(column, column) for column in given]
        given = []
    chosen = dict(named or [(default, None)])
    without = [name for name, column in chosen.items() if column is None]
    is_told = len(given) <= len(without) and len(chosen) == max(1, len(named))
    chosen |= dict(zip(without, given, strict=False))
    found = {name: _LABEL if column is None else column for name, column in chosen.items()}
    if not is_told or not all(found) or not all(found.values()):
        raise typer.BadParameter(
            "each field is named once and has one column, as in --field topic=Topic or "
            "--label-column topic=Topic"
        )
    if len(set(found.values())) < len(found):
        raise typer.BadParameter(
            f"the fields {', '.join(found)} have one column; say which column is whose, as in "
            "--field topic=topic --field language=language"
        )
    return found


def _parts(option: str) -> tuple[str, str | None]:
    name, mark, column = option.partition("=")
    return name.strip(), column.strip() if mark else None
