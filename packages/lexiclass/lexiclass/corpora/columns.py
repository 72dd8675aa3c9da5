"""Which column of a table, or key of a JSON object, is the text, a label, the split or the id."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lexiclass.corpora.bare_names import bare
from lexiclass.corpora.questions import RESPONSES, question_columns
from lexiclass.errors import InvalidParameters

_SHOWN_CHARACTERS: Final = 200
_LONGEST_NAME: Final = 1_000


#: Where no other is named, the column of the label.
USUAL_LABEL: Final = "label"


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns and keys. Case and blanks around them do not matter.

    Attributes:
        text: Holds the text.
        labels: Holds the class, for each field that is wanted, by the field's name.
        split: Holds the split; None for the column ``split`` if there is one, empty for none.
        id: Holds the source's id; None for the column ``id`` if there is one, empty for none.
    """

    text: str = "text"
    labels: Mapping[str, str] = field(default_factory=lambda: {"label": USUAL_LABEL})
    split: str | None = None
    id: str | None = None

    def find(self, names: Sequence[str]) -> FoundColumns:
        """Find the columns among those of a source.

        Raises:
            InvalidParameters: If one that is needed is there twice.
        """
        return FoundColumns(
            text=_find(self.text, names),
            labels={
                label: _find(name, names)
                or _find(name + RESPONSES, names)
                or self._only_question(names)
                for label, name in self.labels.items()
            },
            split=_find("split" if self.split is None else self.split, names),
            id=_find("id" if self.id is None else self.id, names),
        )

    def require(
        self, names: Sequence[str], *, labelled: bool, source: str, texts_needed: bool = True
    ) -> FoundColumns:
        """Find the columns among those of a source that has the same ones for every record.

        Raises:
            InvalidParameters: If one is missing that is needed or was asked for, or is there twice.
        """
        try:
            found = self.find(names)
        except InvalidParameters as error:
            raise InvalidParameters(f"{source}: {error.message}") from error
        missing = [name for name, place in self._needed(found, labelled=labelled) if place is None]
        if not texts_needed and found.id is not None and self.text in missing:
            missing.remove(self.text)
        if missing:
            raise InvalidParameters(
                f"{source} has no column {' and no column '.join(missing)}: its first line is "
                f"{_shown(', '.join(names)) or 'empty'}. {HOW_TO_NAME_COLUMNS}"
            )
        return found

    @property
    def asks_for_any_label(self) -> bool:
        """Whether one label is wanted, and none was named."""
        return [folded(name) for name in self.labels.values()] == [USUAL_LABEL]

    def _only_question(self, names: Sequence[str]) -> str | None:
        """The column of a question where an annotation tool had only one."""
        if not self.asks_for_any_label:
            return None
        unlabelled = self.unlabelled_names()
        found = [name for name in question_columns(names) if folded(name) not in unlabelled]
        return found[0] if len(found) == 1 else None

    def unlabelled_names(self) -> set[str]:
        """Return the names, as they are compared, of all but the labels."""
        names = (self.text, self.split or "split", self.id or "id")
        return {folded(name) for name in names}

    def _needed(self, found: FoundColumns, *, labelled: bool) -> list[tuple[str, str | None]]:
        needed = [(self.text, found.text)]
        if labelled:
            needed += [(name, found.labels[label]) for label, name in self.labels.items()]
        needed += [(name, place) for name, place in
                   ((self.split, found.split), (self.id, found.id)) if name]  # fmt: skip
        return needed


#: What to do where a column is called something else.
HOW_TO_NAME_COLUMNS: Final = (
    "Name them with --text-column, --label-column, --split-column and --id-column."
)


@dataclass(frozen=True, slots=True)
class FoundColumns:
    """Names of columns as a source writes them; None where it has none."""

    text: str | None
    labels: Mapping[str, str | None]
    split: str | None
    id: str | None


def folded(name: str) -> str:
    """A name as it is compared: in one Unicode form, without case, and bare."""
    stripped = bare(name)
    # To order the marks upon letters takes a time that grows with the square of their number.
    is_name = stripped.isascii() or len(stripped) <= _LONGEST_NAME
    return (unicodedata.normalize("NFC", stripped) if is_name else stripped).casefold()


def shown_names(names: Sequence[str]) -> str:
    """Names of columns for an error, cut where they are many."""
    return _shown(", ".join(repr(name) for name in names)) or "none"


def _shown(shown: str) -> str:
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]} ..."


def _find(name: str, names: Sequence[str]) -> str | None:
    wanted = folded(name)
    found = [candidate for candidate in names if folded(candidate) == wanted] if wanted else []
    if len(found) > 1:
        raise InvalidParameters(
            f"the column {name!r} is there {len(found)} times, as "
            f"{' and '.join(repr(each) for each in found)}; give each a name of its own, or name "
            "another column"
        )
    return found[0] if found else None
