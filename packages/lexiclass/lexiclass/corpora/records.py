"""What reading a corpus gives: documents, and what could not be used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Split = Literal["train", "test"]

#: Remark on a text of which some bytes belong to no character of its encoding.
REPLACED_BYTES: Final = "bytes that are no text in their encoding, replaced by U+FFFD"
#: Remark on a text of UTF-8 into which something in Windows-1252 was pasted.
OTHER_BYTES: Final = "bytes of Windows-1252 among those of UTF-8, read as such"


@dataclass(frozen=True, slots=True)
class LabelledText:
    """One document.

    Attributes:
        text: Its content; empty only where a record without a text is not refused.
        labels: Its class for each field that was asked for; None where it has none.
        split: Whether to learn from it or to test with it; None where that is undecided.
        where: File, and line if there are several in one.
        id: What its source calls it: the value of the column id, or its file's name; None where
            there is neither.
        encoding: What its bytes were decoded with; None where its source knows no bytes.
        remarks: What whoever imports it should know of it, in words that many records share.
        metadata: What its source knows of it besides, as JSON values.
    """

    text: str
    labels: Mapping[str, str | None]
    split: Split | None
    where: str
    id: str | None = None
    encoding: str | None = None
    remarks: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str | None:
        """Its class for the first field: all there is to know where one field was asked for."""
        return next(iter(self.labels.values()), None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that can't be used, and why.

    Attributes:
        where: File, and line if there are several in one.
        reason: For people.
    """

    where: str
    reason: str


Record = LabelledText | Refusal
