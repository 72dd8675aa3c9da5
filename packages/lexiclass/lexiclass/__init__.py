"""Document classification with plugins, calibrated confidences and models that load safely.

``__init__.pyi`` lists what is public. Each name is imported when it is first used: a command that
only prints its help needs neither NumPy nor scikit-learn.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"
