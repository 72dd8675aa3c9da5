"""What the LexiClass API and the LexiClass worker share.

Tables (:mod:`lexiclass_core.models`), request and result schemas
(:mod:`lexiclass_core.schemas`), error codes (:mod:`lexiclass_core.codes`), queues
(:mod:`lexiclass_core.queue_config`), storage paths (:mod:`lexiclass_core.layout`), sessions and
migrations (:mod:`lexiclass_core.db`) and the task client (:mod:`lexiclass_core.client`, needs the
``client`` extra). Knows no machine learning.
"""


def __getattr__(name: str) -> str:
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - costs what commands feel

        return version("lexiclass-core")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
