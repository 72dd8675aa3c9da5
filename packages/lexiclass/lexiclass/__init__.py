"""Document classification with plugins, calibrated confidences and models that load safely.

``__init__.pyi`` lists what is public. Each name is imported when it is first used: a command that
only prints its help needs neither NumPy nor scikit-learn.
"""

from typing import Any

import lazy_loader

_public, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - costs what commands feel

        return version("lexiclass")
    return _public(name)
