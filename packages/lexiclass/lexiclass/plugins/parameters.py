"""What the parameters of all plugins here have in common."""

from lexiclass.values import Value


class Parameters(Value):
    """Parameters of a plugin: unknown ones are refused."""
