"""A reconciler on the servers of a test."""

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from lexiclass_core.client.messages import Sender
from lexiclass_core.queueing.messages import MessageStore
from lexiclass_worker.execution.reconciler import Reconciler
from lexiclass_worker.setting_groups import ReconcilerSettings
from tests.support.services import Workshop


@contextmanager
def reconciling(
    workshop: Workshop, broker_url: str, settings: ReconcilerSettings
) -> Iterator[Reconciler]:
    """One for the time of a ``with`` block."""
    sending = Sender(broker_url, "dramatiq")
    with redis.Redis.from_url(broker_url) as client:
        yield Reconciler(
            sessions=workshop.sessions,
            messages=MessageStore(client, "dramatiq"),
            send=sending.send,
            storage=workshop.storage,
            settings=settings,
        )
    sending.close()
