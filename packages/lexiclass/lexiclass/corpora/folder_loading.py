"""Documents of the files of a folder, and none outside of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lexiclass.corpora.columns import FoundColumns
from lexiclass.corpora.documents import DocumentReader, FileDocument, UnreadableFile
from lexiclass.corpora.records import Refusal
from lexiclass.corpora.sources import SourceRecord, Wanted, shown_name
from lexiclass.corpora.splits import named_split
from lexiclass.corpora.walking import leads_out

#: Remark on a document of a class folder.
SPLIT_AS_CLASS: Final = "of a class that is called like a split"


class FolderLoader:
    """Reads the files of a corpus, and none outside of it."""

    def __init__(
        self, corpus: Path, wanted: Wanted, reader: DocumentReader, split: str | None = None
    ) -> None:
        self._corpus = corpus
        self.wanted = wanted
        self._reader = reader
        self._split = split

    def within(self, split: str) -> FolderLoader:
        """The same for the folder of a split."""
        return FolderLoader(self._corpus, self.wanted, self._reader, split)

    def where(self, file: Path) -> str:
        """A file's name in the corpus."""
        return shown_name(file, self._corpus)

    def id(self, file: Path) -> str:
        """What a file is called in a corpus that has no class folders."""
        return self.where(file).removesuffix(".txt")

    def load(
        self,
        file: Path,
        *,
        where: str,
        id: str,  # noqa: A002
        label: str | None = None,
        row: tuple[SourceRecord, FoundColumns] | None = None,
    ) -> Iterator[SourceRecord | Refusal]:
        """Read the documents of a file, with the label or the row that tells theirs."""
        # A corpus from elsewhere may bring a link to any file of this machine.
        if leads_out(file, self._corpus):
            yield Refusal(where, "a link that leads out of the corpus")
            return
        if file.is_dir():
            yield Refusal(where, "a link to a folder, which is not followed")
            return
        for document in self._reader.read(file):
            part = "" if document.line is None else f":{document.line}"
            if isinstance(document, UnreadableFile):
                yield Refusal(where + part, document.reason)
            else:
                yield self._record(document, where + part, id + part, label, row)

    def _record(
        self,
        document: FileDocument,
        where: str,
        id: str,  # noqa: A002
        label: str | None,
        row: tuple[SourceRecord, FoundColumns] | None,
    ) -> SourceRecord:
        columns = self.wanted.columns
        values: dict[str, Any] = {columns.text: document.text, columns.id or "id": id}
        values |= dict.fromkeys(columns.labels.values(), label)
        if row is not None:
            record, found = row
            for field, column in found.labels.items():
                values[columns.labels[field]] = record.values.get(column or "")
            values[columns.split or "split"] = record.values.get(found.split or "")
        if self._split is not None:
            values[columns.split or "split"] = self._split
        remarks = document.remarks
        if self._split is None and label is not None and named_split(label) is not None:
            remarks += (SPLIT_AS_CLASS,)
        return SourceRecord(where, values, document.encoding, remarks, document.metadata)
