"""What came of reading a corpus."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lexiclass.corpora.bare_names import without_formats
from lexiclass.corpora.records import REPLACED_BYTES, Record, Refusal
from lexiclass.errors import listed

_KEPT_REFUSALS: Final = 1_000
_KEPT_PLACES: Final = 100
_KEPT_REASONS: Final = 1_000

# What programs and people write where there is no label.
_NO_LABEL: Final = frozenset({
    "nan", "-nan", "nat", "null", "none", "nil", "n/a", "na", "#n/a", "#na", "<na>", "n.a.", "n.a",
    "\\n", "(null)", "<null>", "(none)", "<none>", "#null!", "#value!", "#ref!", "#name?", "1.#ind",
    "-", "--", "---", "\u2013", "\u2014", ".", "...", "?", "(blank)", "(empty)", "empty", "missing",
    "unknown", "undefined", "unlabeled", "unlabelled", "unsup",
})  # fmt: skip
_SEVERAL: Final = {
    "hold | or ;": re.compile(r".*[|;]"),
    "are lists written as text": re.compile(r"\[.*\]$|\{.*\}$|\(.*,.*\)$"),
}


@dataclass(slots=True)
class CorpusSummary:
    """Counts what is read, and says what whoever imports it should look at.

    Attributes:
        num_documents: Documents that were accepted.
        num_refused: Records that were not.
        num_unlabelled: Documents without a label for any field.
        classes: Number of documents of each class, by field.
        encodings: Number of documents by what their bytes were decoded with.
        formats: Number of documents by the format of their file, of those that are files.
        refusals: The first 1,000 records that were refused, each with its reason.
        refusal_reasons: Number of records refused for each reason.
        remarks: Number of documents for each remark.
        remarked: Where the first 100 of each remark are.
    """

    num_documents: int = 0
    num_refused: int = 0
    num_unlabelled: int = 0
    classes: dict[str, Counter[str]] = field(default_factory=dict)
    encodings: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    refusal_reasons: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    remarked: dict[str, list[str]] = field(default_factory=dict)

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Count records as they pass."""
        for record in records:
            self.add(record)
            yield record

    def add(self, record: Record) -> None:
        """Count one record."""
        if isinstance(record, Refusal):
            self._refuse(record)
            return
        self.num_documents += 1
        has_label = False
        for name, label in record.labels.items():
            if (counts := self.classes.get(name)) is None:
                counts = self.classes[name] = Counter()
            if label is not None:
                has_label = True
                counts[label] += 1
        self.num_unlabelled += not has_label
        if record.encoding is not None:
            self.encodings[record.encoding] += 1
        if (found := record.metadata.get("format")) is not None:
            self.formats[str(found)] += 1
        for remark in record.remarks:
            self.remarks[remark] += 1
            places = self.remarked.setdefault(remark, [])
            if len(places) < _KEPT_PLACES:
                places.append(record.where)

    @property
    def num_records(self) -> int:
        """Records that were read."""
        return self.num_documents + self.num_refused

    @property
    def share_refused(self) -> float:
        """Share of the records that were refused; 0 of none."""
        return self.num_refused / self.num_records if self.num_records else 0.0

    @property
    def num_replaced(self) -> int:
        """Documents of which some bytes were replaced."""
        return self.remarks[REPLACED_BYTES]

    def warnings(self, *, labelled: bool = True, multi_label: bool = False) -> list[str]:
        """Say what should be looked at, a sentence each."""
        found = [
            f"{remark}: {count} {_documents(count)}, first {self.remarked[remark][0]}"
            for remark, count in self.remarks.items()
        ]
        if labelled and self.num_unlabelled:
            share = self.num_unlabelled / self.num_documents
            found.append(
                f"{self.num_unlabelled} of {self.num_documents} documents ({share:.0%}) have no "
                "label"
            )
        for name, counts in self.classes.items():
            told = _label_warnings(counts, multi_label=multi_label)
            found.extend(f"field {name!r}: {warning}" for warning in told)
        return found

    def as_json(self) -> dict[str, Any]:
        """What an import reports of its reading, as JSON values."""
        return {
            "encodings": dict(self.encodings),
            "formats": dict(self.formats),
            "num_replaced": self.num_replaced,
            "replaced": self.remarked.get(REPLACED_BYTES, []),
            "remarked": self.remarked,
            "refusal_reasons": dict(self.refusal_reasons),
            "warnings": self.warnings(),
        }

    def _refuse(self, refusal: Refusal) -> None:
        self.num_refused += 1
        if refusal.reason in self.refusal_reasons or len(self.refusal_reasons) < _KEPT_REASONS:
            self.refusal_reasons[refusal.reason] += 1
        else:
            self.refusal_reasons["other reasons"] += 1
        if len(self.refusals) < _KEPT_REFUSALS:
            self.refusals.append(refusal)


def _label_warnings(counts: Counter[str], *, multi_label: bool = False) -> list[str]:
    """Say which names of classes look like something else."""
    found = []
    empty = [name for name in counts if name.casefold() in _NO_LABEL]
    if empty:
        found.append(
            f"{_total(counts, empty)} labels look like none: {listed(sorted(empty))}; leave the "
            "label empty for a document that has none"
        )
    for what, pattern in _SEVERAL.items() if not multi_label else ():
        names = [name for name in counts if pattern.match(name)]
        if names:
            found.append(
                f"{_total(counts, names)} labels {what}: {listed(sorted(names))}; a document has "
                "one class here"
            )
    quoted = [name for name in counts if len(name) > 1 and name[0] == name[-1] == '"']
    if quoted:
        found.append(
            f"{_total(counts, quoted)} labels have their quotes in them: {listed(sorted(quoted))}; "
            "write no blank between a delimiter and a quote"
        )
    forms: dict[str, list[str]] = {}
    for name in counts:
        forms.setdefault(_plain_form(name), []).append(name)
    found.extend(
        f"classes that differ in case or form only: {listed(sorted(names))}"
        for names in forms.values()
        if len(names) > 1
    )
    return found


def _plain_form(name: str) -> str:
    seen = without_formats(unicodedata.normalize("NFKC", name))
    plain = " ".join(seen.casefold().replace("_", " ").split())
    return str(int(plain)) if plain.isdecimal() and len(plain) < 20 else plain


def _total(counts: Counter[str], names: list[str]) -> int:
    return sum(counts[name] for name in names)


def _documents(count: int) -> str:
    return "document" if count == 1 else "documents"
