"""Whether what the worker needs is there and can be used: for `check`, /readyz and the start."""

from collections.abc import Callable
from typing import Final

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.broker import check_redis
from lexiclass_worker.telemetry.checks.database import check_postgresql, check_queues, check_tables
from lexiclass_worker.telemetry.checks.files import check_storage, check_temporary_files
from lexiclass_worker.telemetry.checks.outcome import Check, attempt
from lexiclass_worker.telemetry.checks.processes import (
    check_containment,
    check_sandbox,
    check_shared_memory,
)
from lexiclass_worker.telemetry.checks.variables import check_settings

CHECKS: Final[dict[str, Callable[[Settings], Check]]] = {
    "redis": check_redis,
    "postgresql": check_postgresql,
    "tables": check_tables,
    "storage": check_storage,
    "temporary files": check_temporary_files,
    "shared memory": check_shared_memory,
    "sandbox": check_sandbox,
    "containment": check_containment,
}
"""Every check. Each takes about 2 seconds at most, except that a file system may hang."""

__all__ = [
    "CHECKS",
    "Check",
    "attempt",
    "check_containment",
    "check_postgresql",
    "check_queues",
    "check_redis",
    "check_sandbox",
    "check_settings",
    "check_shared_memory",
    "check_storage",
    "check_tables",
    "check_temporary_files",
]
