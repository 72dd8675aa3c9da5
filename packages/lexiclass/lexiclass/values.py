"""What is read from files and given by callers."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Base of what knows all that it holds: closed, immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)
