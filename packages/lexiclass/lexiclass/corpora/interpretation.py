"""Records of sources as documents: which value is what, and whether it can be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from lexiclass.corpora.columns import HOW_TO_NAME_COLUMNS, FoundColumns, folded, shown_names
from lexiclass.corpora.json_values import NESTED_TOO_DEEPLY
from lexiclass.corpora.labels import UnusableLabel, class_name
from lexiclass.corpora.records import REPLACED_BYTES, LabelledText, Record, Refusal, Split
from lexiclass.corpora.sources import SourceRecord, Wanted
from lexiclass.corpora.splits import FROM_VALIDATION, is_validation, split_named_by
from lexiclass.decoding import REPLACEMENT
from lexiclass.errors import InvalidParameters

_KEPT_LAYOUTS: Final = 1_000
_KEPT_NAMES: Final = 50


class Interpreter:
    """Makes documents of the records of a source."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        # Records of one source have the same keys in the same order, or a few such layouts.
        self._layouts: dict[tuple[str, ...], FoundColumns | str] = {}
        self._names: dict[str, None] = {}
        self._labelled: set[str] = set()

    def read(self, records: Iterable[SourceRecord | Refusal], source: str) -> Iterator[Record]:
        """Read the records of a source.

        Raises:
            InvalidParameters: If a split is not known, or if labels are wanted and none of the
                records, all of which were read, has a key for them.
        """
        for record in records:
            if isinstance(record, Refusal):
                yield record
                continue
            try:
                yield self.interpret(record)
            except RecursionError:
                yield Refusal(record.where, NESTED_TOO_DEEPLY)
        self._require_labels(source)

    def _require_labels(self, source: str) -> None:
        columns = self._wanted.columns
        missing = [name for field, name in columns.labels.items() if field not in self._labelled]
        # A file of nothing but texts has no labels on purpose.
        others = any(folded(name) not in columns.unlabelled_names() for name in self._names)
        if self._wanted.labelled and missing and others:
            raise InvalidParameters(
                f"{source}: no record has the key {' and none '.join(map(repr, missing))}; keys "
                f"found: {shown_names(list(self._names))}. {HOW_TO_NAME_COLUMNS}"
            )

    def interpret(self, record: SourceRecord) -> Record:
        """Make a document of one record, or say why it is none.

        Raises:
            InvalidParameters: If its split is not known.
        """
        where, values, encoding, remarks, given = record
        found = self._layout(values)
        if isinstance(found, str):
            return Refusal(where, found)
        text: Any = values[found.text] if found.text is not None else None
        identity = _identity(values[found.id]) if found.id is not None else None
        if not self._wanted.texts_needed and identity is not None and _is_nothing(text):
            text = ""
        elif found.text is None:
            return Refusal(where, self._without_text(values))
        elif reason := _unusable_text(text, self._wanted.max_bytes):
            return Refusal(where, reason)
        try:
            labels = {
                label: None if name is None else class_name(values[name])
                for label, name in found.labels.items()
            }
        except UnusableLabel as error:
            return Refusal(where, str(error))
        if remarks and REPLACED_BYTES in remarks and any(map(_has_replaced, labels.values())):
            return Refusal(where, "the label has bytes that are no text in its encoding")
        split: Split | None = None
        if found.split is not None:
            split = split_named_by(values[found.split], where)
            if split is not None and is_validation(values[found.split]):
                remarks += (FROM_VALIDATION,)
        metadata: dict[str, Any] = {"source": where}
        if identity is not None and identity != where:
            metadata["id"] = identity
        metadata.update(given)
        return LabelledText(text, labels, split, where, identity, encoding, remarks, metadata)

    def _without_text(self, values: Mapping[str, Any]) -> str:
        shown = shown_names(list(values))
        return f"no {self._wanted.columns.text!r} among its keys, {shown}; see --text-column"

    def _layout(self, values: Mapping[str, Any]) -> FoundColumns | str:
        names = tuple(values)
        found = self._layouts.get(names)
        if found is None:
            try:
                found = self._wanted.columns.find(names)
            except InvalidParameters as error:
                found = error.message
            if len(self._layouts) >= _KEPT_LAYOUTS:
                self._layouts.clear()
            self._layouts[names] = found
            self._note(names, found)
        return found

    def _note(self, names: tuple[str, ...], found: FoundColumns | str) -> None:
        if isinstance(found, FoundColumns):
            self._labelled.update(field for field, name in found.labels.items() if name is not None)
        else:  # a key that is there twice is there
            self._labelled.update(self._wanted.columns.labels)
        for name in names:
            if len(self._names) < _KEPT_NAMES:
                self._names[name] = None


def _identity(value: Any) -> str | None:
    return None if value is None else str(value).strip() or None


def _has_replaced(label: str | None) -> bool:
    return label is not None and REPLACEMENT in label


def _is_nothing(text: Any) -> bool:
    return text is None or (isinstance(text, str) and not text.strip())


def _unusable_text(text: Any, max_bytes: int) -> str:
    """Why a value can be no document, or nothing."""
    if text is None:
        return "no text"
    if not isinstance(text, str):
        return "the text is no string"
    if not text or text.isspace():
        return "empty"
    # A character is 4 bytes at most: most texts need not be encoded to know that they fit.
    if len(text) > max_bytes or (
        len(text) * 4 > max_bytes and len(text.encode("utf-8", "surrogatepass")) > max_bytes
    ):
        return "too large"
    if "\0" in text:
        return "the text has a NUL character, which no text has"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "the text has a lone surrogate, which no encoding can hold"
    return ""
