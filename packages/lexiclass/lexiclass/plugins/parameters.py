"""What the parameters of all plugins here have in common."""

from pydantic import BaseModel, ConfigDict


class Parameters(BaseModel):
    """Parameters of a plugin: unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
