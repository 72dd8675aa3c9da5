"""The LexiClass worker: Dramatiq actors that index, train, predict and evaluate."""


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - costs what commands feel

        return version("lexiclass-worker")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
