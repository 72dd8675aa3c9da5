"""Why a command failed, in a line. Imported when one has: it knows the errors of every layer."""

from typing import Final

from redis import RedisError

from lexiclass import PluginNotFound
from lexiclass_core.client import BrokerUnavailable, TaskClientError
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.db.schema import UnusableTables
from lexiclass_core.documents import DocumentError
from lexiclass_core.references import UnresolvedName
from lexiclass_core.versions import VersionError
from lexiclass_worker.causes import cause_of
from lexiclass_worker.cli.output import EXIT_FAILED, EXIT_USAGE
from lexiclass_worker.config import load_settings
from lexiclass_worker.database_errors import UNDEFINED
from lexiclass_worker.embedded import EmbeddedServerError
from lexiclass_worker.errors import InternalError, WorkerError, translate
from lexiclass_worker.telemetry.checks.database import check_tables
from lexiclass_worker.worker_group import WorkerGroupFailed

_TOLD_BY_THEMSELVES: Final = (
    WorkerError,
    TaskClientError,
    VersionError,
    DocumentError,
    UnresolvedName,
    EmbeddedServerError,
    WorkerGroupFailed,
    UnusableTables,
)


def explain(error: Exception) -> tuple[str, int] | None:
    """What to print and the exit status; None for a fault of ours, which has a traceback."""
    if isinstance(error, PluginNotFound):
        return str(error), EXIT_USAGE
    message = _message(error)
    return None if message is None else (message, EXIT_FAILED)


def _message(error: Exception) -> str | None:
    broker_error = error.__cause__ if isinstance(error, BrokerUnavailable) else error
    if isinstance(broker_error, RedisError):
        return (
            f"Redis could not be used ({cause_of(broker_error)}): start it, or see whether "
            "DRAMATIQ__BROKER_URL names the right one; `lexiclass-worker check` says more"
        )
    if isinstance(error, _TOLD_BY_THEMSELVES):
        return str(error)
    failure = translate(error)
    if isinstance(failure, InternalError) and not isinstance(error, DATABASE_ERRORS):
        return None
    return _other_tables(failure) or failure.message


def _other_tables(failure: WorkerError) -> str | None:
    """What `check` says of the tables, where a statement missed one of them, or a column."""
    if failure.details.get("sqlstate") not in UNDEFINED:
        return None
    tables = check_tables(load_settings())
    return None if tables.ok else f"the tables are {tables.reason}"
