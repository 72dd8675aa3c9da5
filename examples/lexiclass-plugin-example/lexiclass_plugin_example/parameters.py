"""What can be chosen, and what is chosen if nothing is said."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class CharactersParameters(BaseModel):
    """Parameters of the ``characters`` tokenizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shortest: int = Field(default=2, ge=1, le=10, description="Characters of the shortest run.")
    longest: int = Field(default=4, ge=1, le=10, description="Characters of the longest run.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.shortest > self.longest:
            raise ValueError("shortest must not be longer than longest")
        return self


class CentroidParameters(BaseModel):
    """Parameters of the ``centroid`` classifier."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    shrink: float = Field(
        default=0.0, ge=0, lt=1, description="How far each mean moves to that of all documents."
    )
