"""What a job tells its worker while it runs, and asks of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol


class ReportProgress(Protocol):
    """How a function of ml/ tells what it has done so far, as often as it likes."""

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        """Report ``done`` of ``total`` units of a stage."""
        ...


_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


def is_digest(found: Any) -> bool:
    """Whether a value that a child has sent is a SHA-256 in hexadecimal."""
    return isinstance(found, str) and _DIGEST.fullmatch(found) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """A generation of an index that is about to become the current one.

    Attributes:
        current: SHA-256 of the manifest that is there now; None if there is none.
        next: SHA-256 of the manifest that will be there.
    """

    name: str
    current: str | None
    next: str


class AskForDigests(Protocol):
    """How a function of ml/ learns which manifests an index may have by now."""

    def ask_for_digests(self, name: str, /) -> Sequence[str] | None:
        """Their SHA-256; None if nothing is known of the index, and it is used all the same."""
        ...


class Supervision(ReportProgress, AskForDigests, Protocol):
    """What a function of ml/ is given that reads indexes, or changes files others read."""

    def ask_to_publish(self, publication: Publication | None = None, /) -> None:
        """Wait until the worker says that the task is still its own.

        A worker that was stopped for so long that another has taken the task over does not say so.

        Args:
            publication: What the worker is to keep before: readers take no other manifest.
        """
        ...
