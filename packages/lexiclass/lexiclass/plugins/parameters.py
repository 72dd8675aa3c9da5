"""What the parameters of all plugins here have in common."""

from pydantic import ConfigDict

from lexiclass.values import Value


class Parameters(Value):
    """Parameters of a plugin: unknown ones are refused, and numbers that are infinite or none."""

    model_config = ConfigDict(allow_inf_nan=False)
