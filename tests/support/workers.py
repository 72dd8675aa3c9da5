"""Real workers: ``dramatiq actors`` as a subprocess, and raw messages to it."""

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.worker_group import WorkerGroup, dramatiq_command

T = TypeVar("T")

QUEUES = {
    "index_documents": "indexing",
    "train_field_model": "training",
    "evaluate_field_model": "training",
    "predict_field_documents": "prediction",
}


@contextmanager
def running_worker(
    environment: dict[str, str], log: Path, *, processes: int = 1, threads: int = 2
) -> Iterator[WorkerGroup]:
    """Workers on all queues, for the time of a ``with`` block."""
    group = WorkerGroup.start(
        "test",
        dramatiq_command(processes=processes, threads=threads, queues=()),
        environment=environment,
        metrics_port=free_port(),
        log=log,
    )
    try:
        group.wait_ready(60)
        yield group
    finally:
        group.stop()


class RawSender:
    """Sends messages with nothing but ``dramatiq[redis]``, as any other program would."""

    def __init__(self, broker_url: str) -> None:
        self.broker = RedisBroker(url=broker_url, middleware=[])

    def send(
        self,
        actor: str,
        *args: Any,
        message_id: str | None = None,
        options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> str:
        """Enqueue a message. Returns its id."""
        message = dramatiq.Message(
            queue_name=QUEUES[actor],
            actor_name=actor,
            args=args,
            kwargs=kwargs,
            options=options or {},
            message_id=message_id or str(uuid.uuid4()),
        )
        self.broker.enqueue(message)
        return message.message_id

    def close(self) -> None:
        """Close the connections."""
        self.broker.client.close()


def wait_until(condition: Callable[[], T | None], *, timeout_s: float = 30.0) -> T:
    """Poll until a condition gives something true, and return it."""
    deadline = time.monotonic() + timeout_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not so within {timeout_s} s"
        time.sleep(0.05)
