"""The documents a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lexiclass.corpora import LabelledText, Refusal

LabelledCorpus = Annotated[
    Path,
    typer.Argument(
        help="One .csv, .tsv or .jsonl with text, label and, if wanted, split; or a folder per "
        "class; or .txt files with labels.csv or .tsv (id, label, split).",
        exists=True,
    ),
]
_ANY_CORPUS = typer.Argument(
    help="One .csv, .tsv or .jsonl with text and, if wanted, id; or a folder of .txt files.",
    exists=True,
)
AnyCorpus = Annotated[Path, _ANY_CORPUS]
MaybeCorpus = Annotated[Path | None, _ANY_CORPUS]
TestFraction = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Share of the documents without a split that is held out for testing, chosen by a "
        "hash of their text.",
    ),
]


# Between the labels of a document that can have several.
_SEPARATOR = "|"


def label_set(label: str) -> frozenset[str]:
    """Return the labels that one text names."""
    return frozenset(name for part in label.split(_SEPARATOR) if (name := part.strip()))


@dataclass(slots=True)
class Corpus:
    """Documents read from disk, one at a time; can be read more than once.

    Attributes:
        path: Where they are.
        labelled: Whether there must be labels.
        num_labelled: Documents of the last reading that have a label.
        num_refused: Records of the last reading that could not be used.
        first_refusal: The first of them.
    """

    path: Path
    labelled: bool = True
    num_labelled: int = field(default=0, init=False)
    num_refused: int = field(default=0, init=False)
    first_refusal: Refusal | None = field(default=None, init=False)

    def __iter__(self) -> Iterator[LabelledText]:
        from lexiclass.corpora import LabelledText, read_corpus

        self.num_labelled, self.num_refused, self.first_refusal = 0, 0, None
        for record in read_corpus(self.path, labelled=self.labelled):
            if isinstance(record, LabelledText):
                self.num_labelled += record.label is not None
                yield record
                continue
            self.num_refused += 1
            if self.first_refusal is None:
                self.first_refusal = record

    def refusals(self) -> dict[str, Any]:
        """Return the part of a report that says what could not be used."""
        first = self.first_refusal
        return {
            "refused": self.num_refused,
            "first_refusal": None if first is None else f"{first.where}: {first.reason}",
        }
