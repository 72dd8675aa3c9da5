"""Warms the sandbox before the first message."""

from dramatiq import Broker, Worker
from dramatiq.middleware import Middleware
from loguru import logger

from lexiclass_worker import sandbox
from lexiclass_worker.errors import WorkerError


class WarmSandbox(Middleware):
    """Starts the fork server at boot, where its seconds delay no task and no interrupt hits it."""

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Start it and wait for the libraries.

        Raises:
            SystemExit: If they cannot be imported: a worker that can do nothing should not boot,
                and any other exception of a hook is logged and ignored.
        """
        del broker, worker
        try:
            sandbox.warm_up()
        except WorkerError as error:
            logger.critical("The worker cannot start: {error}", error=error)
            raise SystemExit(1) from error
