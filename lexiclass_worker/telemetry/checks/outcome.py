"""What a check comes to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lexiclass_core.documents import ForeignStorage
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError, Settings

TIMEOUT_S: Final = 2.0
"""How long a check waits for a server."""

_LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check.

    Attributes:
        name: What was checked.
        ok: Whether it can be used.
        reason: Why not, without secrets; empty when it can.
        warning: What is wrong with it although it can be used; empty when nothing is.
        detail: What was found, where there is something to tell.
    """

    name: str
    ok: bool
    reason: str = ""
    warning: str = ""
    detail: str = ""


class NotUsable(Exception):
    """It answers, and cannot be used; the message says why and what to do."""


def attempt(name: str, settings: Settings, action: Callable[[], object]) -> Check:
    """The outcome of an action, which raises if not, and may return a warning; without secrets."""
    redact = settings.redact
    try:
        found = action()
    except (NotUsable, ConfigurationError, ForeignStorage) as error:
        return Check(name, ok=False, reason=redact(str(error))[:_LONGEST_REASON])
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
        return Check(name, ok=False, reason=redact(cause_of(error))[:_LONGEST_REASON])
    warning = found if isinstance(found, str) else ""
    return Check(name, ok=True, warning=redact(warning)[:_LONGEST_REASON])
