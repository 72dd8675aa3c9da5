"""Error codes: the vocabulary in which a failed task says why.

A code is stable and machine-readable; the message beside it is for people. ``task.error`` and the
result backend carry ``{"code", "message", "details", "retryable"}``.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ErrorCode(StrEnum):
    """Why a task failed."""

    VALIDATION_ERROR = "VALIDATION_ERROR"
    """The request is malformed: unknown or missing arguments, wrong types, a path outside."""
    NOT_FOUND = "NOT_FOUND"
    """A project, field, model version or folder that the request names does not exist."""
    NO_TRAINING_LABELS = "NO_TRAINING_LABELS"
    NO_TEST_LABELS = "NO_TEST_LABELS"
    NOT_ENOUGH_DOCUMENTS = "NOT_ENOUGH_DOCUMENTS"
    """Fewer than two documents, or fewer than two classes, to train on."""
    NO_READY_MODEL = "NO_READY_MODEL"
    NO_CERTIFIED_THRESHOLD = "NO_CERTIFIED_THRESHOLD"
    """No evaluation of the version certifies a confidence for the accuracy that is asked for."""
    NO_DOCUMENTS = "NO_DOCUMENTS"
    """The project has no documents, or none of them could be read."""
    EMPTY_VOCABULARY = "EMPTY_VOCABULARY"
    PLUGIN_NOT_FOUND = "PLUGIN_NOT_FOUND"
    PLUGIN_UNAVAILABLE = "PLUGIN_UNAVAILABLE"
    """The plugin exists, but what it needs is not installed; the message says what to install."""
    PLUGIN_MISMATCH = "PLUGIN_MISMATCH"
    """The request, or this installation, differs from what the model was trained with."""
    MODEL_CORRUPT = "MODEL_CORRUPT"
    STORAGE_ERROR = "STORAGE_ERROR"
    DATABASE_ERROR = "DATABASE_ERROR"
    TIME_LIMIT = "TIME_LIMIT"
    MEMORY_LIMIT = "MEMORY_LIMIT"
    CANCELLED = "CANCELLED"
    CRASHED = "CRASHED"
    """The process that did the work died: killed by a signal or gone without a word."""
    INTERNAL_ERROR = "INTERNAL_ERROR"
    """A fault of ours: the log has the traceback."""


ADVICE: Final[Mapping[str, str]] = {
    ErrorCode.VALIDATION_ERROR: "Correct what the message names, and submit the request anew.",
    ErrorCode.NOT_FOUND: "Look whether the id is right, or was deleted since.",
    ErrorCode.NO_TRAINING_LABELS: "Label documents of this field for training, then train again.",
    ErrorCode.NO_TEST_LABELS: "Label documents of this field for testing, then evaluate again.",
    ErrorCode.NOT_ENOUGH_DOCUMENTS: "Label more: at least two documents in each of two classes.",
    ErrorCode.NO_READY_MODEL: "Train this field first, or name a version that is ready.",
    ErrorCode.NO_DOCUMENTS: "Add documents, or look why none of them can be read.",
    ErrorCode.EMPTY_VOCABULARY: "Lower min_df, or choose another tokenizer: no word is left.",
    ErrorCode.NO_CERTIFIED_THRESHOLD: "Evaluate it on more test documents, or ask for less.",
    ErrorCode.PLUGIN_NOT_FOUND: "Take one of the plugins that `lexiclass-worker plugins` lists.",
    ErrorCode.PLUGIN_UNAVAILABLE: "Install what the message names on the workers, then retry.",
    ErrorCode.PLUGIN_MISMATCH: "Use what the model was trained with, or train a new version.",
    ErrorCode.MODEL_CORRUPT: "Roll back to a whole version, or train again; check the storage.",
    ErrorCode.STORAGE_ERROR: "Look whether the storage is reached, has room and is writable.",
    ErrorCode.DATABASE_ERROR: "Look whether PostgreSQL can be reached and is healthy, then retry.",
    ErrorCode.TIME_LIMIT: "Give the task less to do, or the workers a higher limit.",
    ErrorCode.MEMORY_LIMIT: "Give the workers more memory, or the task less to do at once.",
    ErrorCode.CANCELLED: "Retry it if it is wanted after all.",
    ErrorCode.CRASHED: "Remove the document that the message names, if any; retry.",
    ErrorCode.INTERNAL_ERROR: "A fault of the worker: report it with the traceback in its log.",
}
"""What to do about a task that failed with a code."""
