"""``lexiclass-worker ...``: for operators, and for people trying it out.

Every command prints a table for people, or JSON with ``--json``. Exit status 0 is done, 1 is
failed, 2 is wrong usage.
"""

import sys
from typing import Final

from loguru import logger
from rich.markup import escape

from lexiclass.cli.commands import lazy_app
from lexiclass_worker.cli.output import EXIT_USAGE, errors
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.core_dumps import forbid_core_dumps

_COMMANDS: Final = {
    "run": "lexiclass_worker.cli.run:run",
    "standalone": "lexiclass_worker.cli.run:standalone",
    "demo": "lexiclass_worker.cli.demo:demo",
    "check": "lexiclass_worker.cli.check:check",
    "reconcile": "lexiclass_worker.cli.reconcile:reconcile",
    "index": "lexiclass_worker.cli.submit:index",
    "train": "lexiclass_worker.cli.submit:train",
    "predict": "lexiclass_worker.cli.submit:predict",
    "evaluate": "lexiclass_worker.cli.submit:evaluate",
    "similar": "lexiclass_worker.cli.similar:similar",
    "duplicates": "lexiclass_worker.cli.similar:duplicates",
    "db": "lexiclass_worker.cli.database:app",
    "project": "lexiclass_worker.cli.project:app",
    "documents": "lexiclass_worker.cli.documents:app",
    "predictions": "lexiclass_worker.cli.predictions:app",
    "labels": "lexiclass_worker.cli.labels:app",
    "tasks": "lexiclass_worker.cli.tasks:app",
    "queues": "lexiclass_worker.cli.queues:app",
    "workers": "lexiclass_worker.cli.workers:app",
    "dead-letters": "lexiclass_worker.cli.dead_letters:app",
    "models": "lexiclass_worker.cli.models:app",
    "plugins": "lexiclass.cli.plugins:app",  # the library's own command
    "config": "lexiclass_worker.cli.config:app",
}

app = lazy_app(
    _COMMANDS,
    distributions=("lexiclass-worker", "lexiclass", "lexiclass-core"),
    name="lexiclass-worker",
    help="Runs and operates the LexiClass worker.",
)


def main() -> None:
    """Entry point: every expected failure ends in one line on standard error."""
    forbid_core_dumps()
    logger.remove()
    logger.add(sys.stderr, level="WARNING", format="{level.name}: {message}", diagnose=False)
    try:
        app()
    except ConfigurationError as error:
        message, status = str(error), EXIT_USAGE
    except Exception as error:
        # Whose classes are loaded by now, if it is one of theirs.
        from lexiclass_worker.cli.failures import explain

        found = explain(error)
        if found is None:
            raise
        message, status = found
    else:
        return
    errors.print(f"[bold red]error:[/] {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(status)
