"""``lexiclass-worker ...``: for operators, and for people trying it out.

Every command prints a table for people, or JSON with ``--json``. Exit status 0 is done, 1 is
failed, 2 is wrong usage.
"""

import sys

import typer
from loguru import logger
from redis import RedisError
from rich.markup import escape

from lexiclass import PluginNotFound
from lexiclass.cli.plugins import app as plugins
from lexiclass_core.client import TaskClientError
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.references import UnresolvedName
from lexiclass_core.versions import VersionError
from lexiclass_worker.causes import cause_of
from lexiclass_worker.cli import (
    check,
    config,
    database,
    dead_letters,
    demo,
    documents,
    models,
    project,
    queues,
    reconcile,
    run,
    similar,
    submit,
    tasks,
)
from lexiclass_worker.cli.output import EXIT_FAILED, EXIT_USAGE, errors
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.embedded import EmbeddedServerError
from lexiclass_worker.errors import InternalError, WorkerError, translate
from lexiclass_worker.worker_group import WorkerGroupFailed

app = typer.Typer(
    name="lexiclass-worker",
    help="Runs and operates the LexiClass worker.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("standalone")(run.standalone)
app.command("demo")(demo.demo)
app.command("check")(check.check)
app.command("reconcile")(reconcile.reconcile)
app.command("index")(submit.index)
app.command("train")(submit.train)
app.command("predict")(submit.predict)
app.command("evaluate")(submit.evaluate)
app.command("similar")(similar.similar)
app.command("duplicates")(similar.duplicates)
app.add_typer(database.app, name="db")
app.add_typer(project.app, name="project")
app.add_typer(documents.app, name="documents")
app.add_typer(tasks.app, name="tasks")
app.add_typer(queues.app, name="queues")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(models.app, name="models")
app.add_typer(plugins, name="plugins")  # the library's own command
app.add_typer(config.app, name="config")


def main() -> None:
    """Entry point: every expected failure ends in one line on standard error."""
    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="{level.name}: {message}", diagnose=False)
    try:
        app()
    except (ConfigurationError, PluginNotFound) as error:
        _fail(str(error), EXIT_USAGE)
    except (
        WorkerError,
        TaskClientError,
        VersionError,
        UnresolvedName,
        EmbeddedServerError,
        WorkerGroupFailed,
    ) as error:
        _fail(str(error), EXIT_FAILED)
    except RedisError as error:
        _fail(
            f"Redis could not be used ({cause_of(error)}): start it, or see whether "
            "DRAMATIQ__BROKER_URL names the right one; `lexiclass-worker check` says more",
            EXIT_FAILED,
        )
    except Exception as error:
        failure = translate(error)
        if isinstance(failure, InternalError) and not isinstance(error, DATABASE_ERRORS):
            raise
        _fail(failure.message, EXIT_FAILED)


def _fail(message: str, status: int) -> None:
    errors.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(status)
