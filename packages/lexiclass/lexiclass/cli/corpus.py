"""The documents a command works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from lexiclass.errors import InvalidParameters

if TYPE_CHECKING:
    from lexiclass.corpora import Columns, CorpusSummary, LabelledText

LabelledCorpus = Annotated[
    Path,
    typer.Argument(
        help="One table (.csv, .tsv, ...) or JSON file with text, label and, if wanted, split; or "
        "a folder per class; or documents with labels.csv or .tsv (id, label, split).",
        exists=True,
    ),
]
_ANY_CORPUS = typer.Argument(
    help="One table (.csv, .tsv, ...) or JSON file with text and, if wanted, id; or a folder of "
    "documents.",
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

_DEFAULT_MAX_REFUSED: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions:
    """How a corpus is read."""

    text_column: Annotated[str, typer.Option(help="Column or JSON key of the texts.")] = "text"
    max_refused: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="If a larger share of the records is refused, that is an error."
        ),
    ] = _DEFAULT_MAX_REFUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledOptions(ReadingOptions):
    """The same of one that has labels."""

    label_column: Annotated[str, typer.Option(help="Column or JSON key of the labels.")] = "label"
    split_column: Annotated[
        str | None,
        typer.Option(help="Column or JSON key of the splits: split if there; '' for none."),
    ] = None

    def open(self, path: Path, *, multi_label: bool) -> Corpus:
        """The corpus at a path."""
        from lexiclass.corpora import Columns

        columns = Columns(self.text_column, {"label": self.label_column}, self.split_column)
        return Corpus(path, columns=columns, max_refused=self.max_refused, multi_label=multi_label)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlabelledOptions(ReadingOptions):
    """The same of one that needs no labels."""

    id_column: Annotated[
        str | None, typer.Option(help="Column or JSON key of the ids: id if there; '' for none.")
    ] = None

    def open(self, path: Path) -> Corpus:
        """The corpus at a path."""
        from lexiclass.corpora import Columns

        columns = Columns(self.text_column, {}, None, self.id_column)
        return Corpus(path, labelled=False, columns=columns, max_refused=self.max_refused)


# Between the labels of a document that can have several.
_SEPARATOR = "|"


def label_set(label: str) -> frozenset[str]:
    """Return the labels that one text names."""
    return frozenset(name for part in label.split(_SEPARATOR) if (name := part.strip()))


@dataclass(slots=True)
class Corpus:
    """Documents read from disk, one at a time; can be read more than once."""

    path: Path
    labelled: bool = True
    columns: Columns | None = None
    max_refused: float = _DEFAULT_MAX_REFUSED
    multi_label: bool = False
    summary: CorpusSummary = field(init=False)

    def __post_init__(self) -> None:
        from lexiclass.corpora import CorpusSummary

        self.summary = CorpusSummary()

    def __iter__(self) -> Iterator[LabelledText]:
        from lexiclass.corpora import CorpusSummary, LabelledText, read_corpus

        self.summary = CorpusSummary()
        records = read_corpus(self.path, columns=self.columns, labelled=self.labelled)
        for record in self.summary.watch(records):
            if isinstance(record, LabelledText):
                yield record
        self._require_few_refusals()

    @property
    def num_labelled(self) -> int:
        """Documents of the last reading that have a label."""
        return self.summary.num_documents - self.summary.num_unlabelled

    def report(self) -> dict[str, Any]:
        """Return the part of a report that says what was read, and what could not be used."""
        summary = self.summary
        first = next(iter(summary.refusals), None)
        return {
            "refused": summary.num_refused,
            "first_refusal": None if first is None else f"{first.where}: {first.reason}",
            "refusal_reasons": dict(summary.refusal_reasons),
            "encodings": dict(summary.encodings),
            "warnings": self.warnings(),
        }

    def warnings(self) -> list[str]:
        """What should be looked at, a sentence each."""
        return self.summary.warnings(labelled=self.labelled, multi_label=self.multi_label)

    def _require_few_refusals(self) -> None:
        summary = self.summary
        if summary.share_refused > self.max_refused:
            first = summary.refusals[0]
            raise InvalidParameters(
                f"{str(self.path)!r}: {summary.num_refused} of {summary.num_records} records were "
                f"refused, more than the share of {self.max_refused:g} that is allowed; the first "
                f"is {first.where}: {first.reason}. Mend them, or allow more with --max-refused."
            )


def training_documents(documents: Corpus, test_fraction: float) -> Iterator[tuple[str, str]]:
    """Yield text and label of the documents that are not for testing."""
    from lexiclass.corpora import split_of

    for document in documents:
        if document.label is not None and split_of(document, test_fraction) == "train":
            yield document.text, document.label
