"""A check before it is made."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.outcome import Check

LIMIT_S: Final = 2.5
"""How long a check may take where nothing else is said."""


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
