"""Keeps what a worker process knows out of core dumps."""

from dramatiq import Broker
from dramatiq.middleware import Middleware

from lexiclass_worker.core_dumps import forbid_core_dumps


class NoCoreDumps(Middleware):
    """Forbids them in each process of a group, however it was started."""

    def before_process_boot(self, _broker: Broker) -> None:
        """Forbid them before anything connects."""
        forbid_core_dumps()
