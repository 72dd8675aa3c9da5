"""What people can do from the console: each action once, with the role that it needs."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lexiclass_console.actions import (
    dead_letters,
    labels,
    queues,
    submission,
    suspects,
    tasks,
    versions,
)
from lexiclass_console.actions.action import (
    MOST_AT_ONCE,
    Action,
    Doing,
    Form,
    FormRefused,
    Outcome,
)

__all__ = ["ACTIONS", "MOST_AT_ONCE", "Action", "Doing", "Form", "FormRefused", "Outcome"]

ACTIONS: Final[Mapping[str, Action]] = MappingProxyType(
    {
        action.name: action
        for room in (submission, tasks, queues, dead_letters, versions, suspects, labels)
        for action in room.ACTIONS
    }
)
"""Every action by its name."""
