"""``lexiclass-worker ...``: for operators, and for people trying it out.

Every command prints a table for people, or JSON with ``--json``. Exit status 0 is done, 1 is
failed, 2 is wrong usage.
"""

import logging
import sys
import traceback
from typing import Final

from loguru import logger
from rich.markup import escape

from lexiclass.cli.commands import lazy_app
from lexiclass_worker.cli.output import EXIT_FAILED, EXIT_USAGE, errors
from lexiclass_worker.config import ConfigurationError, redactor_at_hand
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
    "console": "lexiclass_worker.cli.console:app",
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


class _WithoutSecrets:
    """Standard error of this moment."""

    def write(self, text: str) -> None:
        sys.stderr.write(redactor_at_hand()(text))


def main() -> None:
    """Entry point: every expected failure ends in one line on standard error.

    A fault of ours ends in its traceback. Secrets are in neither.
    """
    forbid_core_dumps()
    stream = _WithoutSecrets()
    logger.remove()
    logger.add(
        stream, level="WARNING", format="{level.name}: {message}", backtrace=False, diagnose=False
    )
    logging.basicConfig(stream=stream, level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        app()
    except ConfigurationError as error:
        message, status = str(error), EXIT_USAGE
    except Exception as error:  # noqa: BLE001 - one that is not known is shown whole
        # Whose classes are loaded by now, if it is one of theirs.
        from lexiclass_worker.cli.failures import explain

        found = explain(error)
        if found is None:
            stream.write(traceback.format_exc())
            sys.exit(EXIT_FAILED)
        message, status = found
    else:
        return
    message = escape(redactor_at_hand()(message))
    errors.print(f"[bold red]error:[/] {message}", highlight=False, soft_wrap=True)
    sys.exit(status)
