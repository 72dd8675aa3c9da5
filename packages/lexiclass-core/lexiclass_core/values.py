"""What is held, and what is passed from one program to another."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Base of what knows all that it holds: closed, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Record(BaseModel):
    """Base of what one version writes and another reads: a later one may say more."""

    model_config = ConfigDict(extra="ignore", frozen=True)
