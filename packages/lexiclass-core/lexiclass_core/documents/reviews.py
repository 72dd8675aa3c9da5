"""Which predictions are to be reviewed, and what is told of each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from lexiclass_core.documents.resting import RestsOn
from lexiclass_core.numbers import number_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQuery:
    """Which of the predictions that are to be reviewed; all of them when nothing is said.

    Attributes:
        is_unfamiliar: Of documents that are unlike those of training, or of the others.
    """

    field_id: int
    class_id: int | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None
    is_unfamiliar: bool | None = None


class ReviewPosition(NamedTuple):
    """A place in the order of reviewing, as an address tells it."""

    is_unfamiliar: bool
    confidence: float
    document_id: int

    def __str__(self) -> str:
        return f"{'u' if self.is_unfamiliar else 'f'},{self.confidence!r},{self.document_id}"

    @classmethod
    def parse(cls, told: str) -> "ReviewPosition | None":
        """What an address tells; None if it is no place."""
        kind, _, rest = told.partition(",")
        number, _, document = rest.partition(",")
        document_id = number_of(document)
        try:
            confidence = float(number)
        except ValueError:
            return None
        if kind not in {"u", "f"} or document_id is None or not math.isfinite(confidence):
            return None
        return cls(kind == "u", confidence, document_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToReview:
    """A prediction to look at.

    Attributes:
        content_path: Where its text lies; None for the usual place.
    """

    document_id: int
    external_id: str | None
    content_path: str | None
    class_id: int
    class_name: str
    confidence: float
    model_version: int
    predicted_at: datetime
    rests_on: RestsOn
    position: ReviewPosition


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewPage:
    """Some of the predictions that are to be reviewed.

    Attributes:
        predictions: In the order in which they help.
        next_position: Where to go on; None if there is no more.
    """

    predictions: Sequence[ToReview]
    next_position: ReviewPosition | None


class ReviewCount(NamedTuple):
    """How many there are, of the first 5,000 that are marked.

    Attributes:
        number: That fit, and have no label.
        is_cut: Whether more are marked than were looked at.
    """

    number: int
    is_cut: bool
