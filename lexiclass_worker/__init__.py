"""The LexiClass worker: Dramatiq actors that index, train, predict and evaluate."""

__version__ = "0.1.0"
