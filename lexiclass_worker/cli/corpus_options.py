"""Options that say how a corpus is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from lexiclass.corpora import Columns

DEFAULT_MAX_REFUSED: Final = 0.5
_LABEL: Final = "label"

CorpusPath = Annotated[
    Path,
    typer.Argument(
        help="A folder per class; or train/ and test/ with such folders; or documents and "
        "labels.csv/.tsv (id, label, split); or one table or JSON file with text, label and split.",
    ),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        metavar="NAME[=COLUMN]",
        help="Field that the labels answer, and the column they are in: label if not said. Can be "
        "given more than once.",
    ),
]
TextColumn = Annotated[str, typer.Option(help="Column or JSON key of the texts.")]
LabelColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--label-column",
        metavar="[FIELD=]COLUMN",
        help="Column or JSON key of the labels. Can be given more than once.",
    ),
]
SplitColumn = Annotated[
    str | None, typer.Option(help="Column or JSON key of the splits: split if there; '' for none.")
]
IdColumn = Annotated[
    str | None, typer.Option(help="Column or JSON key of the ids: id if there; '' for none.")
]
TestPath = Annotated[
    Path | None,
    typer.Option("--test", metavar="PATH", help="A separate test set: a folder or a file."),
]
TestFraction = Annotated[
    float,
    typer.Option(min=0, max=1, help="Share of the labels without a split that become test data."),
]
MaxRefused = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="If a larger share of the records is refused, nothing is imported."
    ),
]
DocumentFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="What files of a folder are in that could be plain text: email, html, markdown, or "
        "text, as it is. Recognised if not said.",
    ),
]
Unlabelled = Annotated[
    bool, typer.Option("--unlabelled", help="The corpus needs no labels: to predict, say.")
]


def columns_of(
    labels: dict[str, str], text: str, split: str | None, identity: str | None
) -> Columns:
    """What the options say of columns."""
    from lexiclass.corpora import Columns

    return Columns(text=text, labels=labels, split=split, id=identity)


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
