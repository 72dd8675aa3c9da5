"""Everything that can go wrong, as one tree.

LexiClassError
 ├── InvalidParameters     VALIDATION_ERROR      a parameter, label or argument is not acceptable
 ├── NotEnoughDocuments    NOT_ENOUGH_DOCUMENTS  fewer than 2 documents or 2 classes to train on
 ├── NoDocuments           NO_DOCUMENTS          nothing to index
 ├── EmptyVocabulary       EMPTY_VOCABULARY      no feature is left after tokenizing and pruning
 ├── PluginNotFound        PLUGIN_NOT_FOUND      no plugin of that name and type
 ├── PluginUnavailable     PLUGIN_UNAVAILABLE    the plugin is known, what it needs is not installed
 ├── PluginMismatch        PLUGIN_MISMATCH       the model was made with something else
 ├── ModelCorrupt          MODEL_CORRUPT         stored data are missing, changed or not understood
 └── DocumentUnreadable    STORAGE_ERROR         one document can't be read or decoded

A message says what was found, what was expected and what to do; ``details`` holds the same facts as
JSON-serialisable values for programs. None of these gets better by trying again, so ``retryable``
is false throughout; it is there for code that handles these errors beside its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from pydantic import ValidationError


class LexiClassError(Exception):
    """Root of all errors of this library.

    Attributes:
        code: Stable name of the kind of error, for programs.
        retryable: Whether the same call can succeed later without a change.
        message: What was found, what was expected, what to do.
        details: The facts behind the message, JSON-serialisable.
    """

    code: ClassVar[str] = "INTERNAL_ERROR"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = {} if details is None else dict(details)


class InvalidParameters(LexiClassError):
    """A parameter, label or argument is not acceptable."""

    code = "VALIDATION_ERROR"

    @classmethod
    def of(
        cls,
        subject: str,
        error: ValidationError,
        *,
        known: Iterable[str],
        details: Mapping[str, Any] | None = None,
    ) -> Self:
        """Name each parameter of a model that is not acceptable and why."""
        problems = [
            {"parameter": ".".join(map(str, problem["loc"])), "problem": problem["msg"]}
            for problem in error.errors(include_url=False, include_context=False)
        ]
        listed = "; ".join(f"{p['parameter'] or '(all)'}: {p['problem']}" for p in problems)
        return cls(
            f"Parameters of {subject}: {listed}. Known parameters: {', '.join(known) or 'none'}.",
            details={**(details or {}), "problems": problems},
        )


class NotEnoughDocuments(LexiClassError):
    """Training needs at least 2 documents of at least 2 classes."""

    code = "NOT_ENOUGH_DOCUMENTS"

    def __init__(self, *, num_documents: int, num_classes: int, num_held_out: int = 0) -> None:
        remedy = "Label more documents."
        if num_held_out:
            remedy = f"Hold out fewer than {num_held_out} for tests, or label more documents."
        super().__init__(
            f"Training needs at least 2 documents of 2 classes; found {num_documents} "
            f"document(s) of {num_classes} class(es). {remedy}",
            details={
                "num_documents": num_documents,
                "num_classes": num_classes,
                **({"num_held_out": num_held_out} if num_held_out else {}),
            },
        )


class NoDocuments(LexiClassError):
    """There is nothing to index."""

    code = "NO_DOCUMENTS"


class EmptyVocabulary(LexiClassError):
    """No feature is left after tokenizing and pruning."""

    code = "EMPTY_VOCABULARY"


class PluginNotFound(LexiClassError):
    """No plugin has that name and type."""

    code = "PLUGIN_NOT_FOUND"

    def __init__(self, plugin_type: str, name: str, known: Sequence[str]) -> None:
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        super().__init__(
            f"There is no {plugin_type} named {name!r}; known: {', '.join(known) or 'none'}.{hint}",
            details={"type": plugin_type, "name": name, "known": list(known)},
        )
        self.name = name
        self.known = tuple(known)


class PluginUnavailable(LexiClassError):
    """The plugin is known, but what it needs is not there."""

    code = "PLUGIN_UNAVAILABLE"


class PluginMismatch(LexiClassError):
    """Stored data were made with something other than what is asked for or installed."""

    code = "PLUGIN_MISMATCH"


class ModelCorrupt(LexiClassError):
    """Stored data are missing, changed or not understood.

    Attributes:
        file: The offending file, relative to the model or index directory.
        reason: What is wrong with it.
    """

    code = "MODEL_CORRUPT"

    def __init__(self, file: str, reason: str) -> None:
        super().__init__(
            f"Stored file {file!r} can't be trusted: {reason}. Train or index again, "
            "or restore the directory from a backup.",
            details={"file": file, "reason": reason},
        )
        self.file = file
        self.reason = reason


class DocumentUnreadable(LexiClassError):
    """One document can't be read or decoded.

    Attributes:
        reason: Short and stable: ``missing``, ``too large``, ``binary``, ``unknown encoding`` or
            the operating system's message.
    """

    code = "STORAGE_ERROR"

    def __init__(self, reason: str, *, path: str | None = None) -> None:
        where = "" if path is None else f" {path!r}"
        super().__init__(
            f"Document{where} can't be read: {reason}.", details={"path": path, "reason": reason}
        )
        self.reason = reason


def listed(names: Sequence[str], most: int = 10) -> str:
    """Some names for a message: the first, and how many more there are."""
    shown = ", ".join(map(repr, names[:most]))
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
