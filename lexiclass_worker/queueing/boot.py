"""Hooks at the boot of a process: one that fails ends it."""

from collections.abc import Callable
from typing import Any, Final

from loguru import logger

from lexiclass_core.db.schema import UnusableTables
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.errors import WorkerError

BOOT_SIGNALS: Final = frozenset({"process_boot", "worker_boot"})
"""What Dramatiq calls the moments of a boot."""

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


def run_boot_hook(hook: Callable[..., None], *args: Any) -> None:
    """Run a hook; Dramatiq would log what it fails with, and take messages that it cannot do.

    The group ends with its process, under the same exit status.

    Raises:
        SystemExit: If it fails, once the log says why.
    """
    try:
        hook(*args)
    except ConfigurationError as error:
        logger.critical("The worker cannot start: {error}", error=str(error))
        raise SystemExit(EXIT_USAGE) from error
    except (WorkerError, UnusableTables, OSError) as error:
        logger.critical("The worker cannot start: {error}", error=cause_of(error))
        raise SystemExit(EXIT_FAILED) from error
    except Exception as error:
        logger.opt(exception=error).critical(
            "The worker cannot start: {error}", error=cause_of(error)
        )
        raise SystemExit(EXIT_FAILED) from error
