"""Labels that look wrong, as a child tells of them."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from lexiclass_core.values import Record

#: As many as a training tells of: more than somebody looks at before training again.
MOST_SUSPECTS = 1_000

#: Of a term that is told.
MOST_CHARACTERS = 60

_DocumentId = Annotated[int, Field(gt=0, lt=2**63)]
_Term = Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]
_Share = Annotated[float, Field(ge=0, le=1)]


class FoundNeighbour(Record):
    """A document that is like a suspect."""

    document: _DocumentId


class FoundTerms(Record):
    """Terms of a suspect that speak for its class, and for the better one; see ``Contrast``."""

    given: list[_Term] = Field(max_length=5)
    suggested: list[_Term] = Field(max_length=5)


class FoundSuspect(Record):
    """See :class:`lexiclass.label_quality.Suspect`; what a child says is checked."""

    document: _DocumentId
    label: str
    suggested: str
    score: _Share
    reasons: list[Literal["confident_learning", "equal_text", "near_duplicate"]] = Field(
        max_length=3
    )
    label_probability: _Share | None
    suggested_probability: _Share | None
    neighbours: list[FoundNeighbour] = Field(max_length=5)
    num_neighbours: int = Field(ge=0, lt=2**53)
    terms: FoundTerms | None = None


FOUND_SUSPECTS = TypeAdapter(
    Annotated[list[FoundSuspect], Field(max_length=MOST_SUSPECTS)],
)
