"""What a check comes to."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import wraps
from typing import Any, Final

from lexiclass_core.db.errors import sqlstate_of
from lexiclass_core.documents import ForeignStorage
from lexiclass_worker.causes import NO_ROOM, cause_of
from lexiclass_worker.config import ConfigurationError, Settings

TIMEOUT_S: Final = 2.0
"""How long a check waits for a server."""

LIMIT_S: Final = 2.5
"""How long a check may take where nothing else is said."""

_LONGEST: Final = 500
_NAMED: Final = 5
_TOO_MANY_CONNECTIONS: Final = "53300"
_MORE_CONNECTIONS: Final = (
    "raise max_connections in postgresql.conf, put a pooler in between, or lower "
    "DATABASE__POOL_SIZE"
)
_MAKE_ROOM: Final = "make room on that disk: df -h, df -i"


class State(StrEnum):
    """What a check comes to, in a word."""

    PASS = "pass"  # noqa: S105 - no password
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """The outcome of one check.

    Attributes:
        found: What was found, without secrets; why it was skipped.
        remedy: The command or the setting that mends it; empty when nothing is to be mended.
    """

    name: str
    state: State
    found: str = ""
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether tasks can run as far as this is concerned."""
        return self.state is not State.FAIL

    @property
    def told(self) -> str:
        """What was found and what mends it."""
        return ": ".join(filter(None, (self.found, self.remedy)))

    @property
    def reason(self) -> str:
        """Why it fails; empty when it does not."""
        return self.told if self.state is State.FAIL else ""

    @property
    def warning(self) -> str:
        """What is wrong with it although it can be used; empty when nothing is."""
        return self.told if self.state is State.WARN else ""

    @property
    def detail(self) -> str:
        """What was found where nothing is wrong, and why it was skipped."""
        return self.told if self.state in {State.PASS, State.SKIPPED} else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How something is checked.

    Attributes:
        limit_s: Seconds after which it counts as failed.
        needs: The check without which this one can find out nothing, if any.
        decides: Whether no task can run where it fails, so that /readyz says no.
    """

    look: Callable[[Settings], Check]
    limit_s: float = LIMIT_S
    needs: str | None = None
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that could be better, and the command or the setting that mends it."""

    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at something that can be used has found.

    Attributes:
        detail: What is there.
        findings: What could be better: warnings.
    """

    detail: str = ""
    findings: Sequence[Finding] = ()


class NotUsable(Exception):
    """It answers, and cannot be used."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found, remedy)
        self.found = found
        self.remedy = remedy


class NotLooked(Exception):
    """There is nothing to look at, or no right to look; the message says which."""


_Looking = Callable[[Settings], Look | Coroutine[Any, Any, Look]]


def checked(name: str, *, remedy: str) -> Callable[[_Looking], Callable[[Settings], Check]]:
    """Make a check of what looks, and raises where something cannot be used; without secrets.

    ``remedy`` mends what the look does not foresee.
    """

    def decorate(look: _Looking) -> Callable[[Settings], Check]:
        @wraps(look)
        def check(settings: Settings) -> Check:
            state, found, mended_by = _outcome(look, settings, remedy)
            redact = settings.redact
            return Check(name, state, redact(found)[:_LONGEST], redact(mended_by)[:_LONGEST])

        return check

    return decorate


def _outcome(look: _Looking, settings: Settings, remedy: str) -> tuple[State, str, str]:
    try:
        looking = look(settings)
        seen = looking if isinstance(looking, Look) else asyncio.run(looking)
    except NotLooked as error:
        return State.SKIPPED, str(error), ""
    except NotUsable as error:
        return State.FAIL, error.found, error.remedy
    except (ConfigurationError, ForeignStorage) as error:
        return State.FAIL, str(error), remedy
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
        return State.FAIL, cause_of(error), _mended_by(error) or remedy
    if not seen.findings:
        return State.PASS, seen.detail, ""
    remedies = dict.fromkeys(finding.remedy for finding in seen.findings)
    found = "; ".join(finding.found for finding in seen.findings)
    return State.WARN, found, "; ".join(remedies)


def _mended_by(error: Exception) -> str:
    """What mends an error that no look has foreseen; empty where that is not known."""
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return _MAKE_ROOM
    if sqlstate_of(error) == _TOO_MANY_CONNECTIONS:
        return _MORE_CONNECTIONS
    # As lexiclass_core.db notes it on what PostgreSQL refuses.
    notes: list[str] = getattr(error, "__notes__", [])
    return next((note for note in notes if note.startswith("GRANT ")), "")


def listing(names: Sequence[object]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(str, names[:_NAMED])) + more
