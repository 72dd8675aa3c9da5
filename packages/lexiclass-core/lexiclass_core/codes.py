"""Error codes: the vocabulary in which a failed task says why.

A code is stable and machine-readable; the message beside it is for people. ``task.error`` and the
result backend carry ``{"code", "message", "details", "retryable"}``.
"""

from enum import StrEnum


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
