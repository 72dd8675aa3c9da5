"""What all parts of a report have in common."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

#: A document of the caller's: its number in a worker, its name in a corpus.
DocumentId: TypeAlias = int | str

Share: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count: TypeAlias = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """A part of a report."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Estimate(Part):
    """A figure of the test documents, and where it may lie for all documents.

    Attributes:
        value: Of the test documents.
        low: Lower end of the interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float
