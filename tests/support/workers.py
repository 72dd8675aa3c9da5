"""Real workers: ``dramatiq actors`` as a subprocess, and raw messages to it."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results.backends import RedisBackend

from lexiclass_core.operations import OPERATIONS
from lexiclass_worker.embedded.process import free_port
from lexiclass_worker.worker_group import WorkerGroup, dramatiq_command

T = TypeVar("T")

QUEUES = {name: str(each.queue) for name, each in OPERATIONS.items()}


@contextmanager
def running_worker(
    environment: dict[str, str],
    log: Path,
    *,
    processes: int = 1,
    threads: int = 2,
    command: Sequence[str] | None = None,
) -> Iterator[WorkerGroup]:
    """Workers on all queues, or those of a command, for the time of a ``with`` block."""
    if command is None:
        command = dramatiq_command(processes=processes, threads=threads, queues=())
    group = WorkerGroup.start(
        "test", command, environment=environment, metrics_port=free_port(), log=log
    )
    try:
        group.wait_ready(180)
        yield group
    finally:
        group.stop()


class RawSender:
    """Sends messages with nothing but ``dramatiq[redis]``, as any other program would."""

    def __init__(self, broker_url: str, namespace: str = "dramatiq") -> None:
        self.namespace = namespace
        self.broker = RedisBroker(url=broker_url, namespace=namespace, middleware=[])
        self.results = RedisBackend(client=self.broker.client, namespace=f"{namespace}-results")

    def send(
        self,
        actor: str,
        *args: Any,
        message_id: str | None = None,
        options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> str:
        """Enqueue a message. Returns its id."""
        message = self.message(
            actor, *args, message_id=message_id or str(uuid.uuid4()), options=options, **kwargs
        )
        self.broker.enqueue(message)
        return message.message_id

    def message(
        self,
        actor: str,
        *args: Any,
        message_id: str,
        options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dramatiq.Message[Any]:
        """A message, not sent yet; also a name for one that was."""
        return dramatiq.Message(
            queue_name=QUEUES.get(actor, "training"),
            actor_name=actor,
            args=args,
            kwargs=kwargs,
            options=options or {},
            message_id=message_id,
        )

    def result(self, actor: str, message_id: str, *, timeout_s: float = 10.0) -> Any:
        """What the result backend holds, once it is there.

        Raises:
            ResultFailure: If that is an exception.
        """
        # The row is closed before Dramatiq stores the result.
        return self.message(actor, message_id=message_id).get_result(
            backend=self.results, block=True, timeout=round(timeout_s * 1000)
        )

    def put(self, queue: str, key: str, data: bytes) -> None:
        """Put an entry on a queue as it is, whatever it is."""
        self.broker.do_enqueue(queue, key, data)

    def size(self, queue: str) -> int:
        """Messages of a queue that are not done: waiting, delayed or in progress."""
        return int(self.broker.do_qsize(queue))

    def dead_letters(self, queue: str) -> dict[str, bytes]:
        """The dead letters of a queue."""
        found: Any = self.broker.client.hgetall(f"{self.namespace}:{queue}.XQ.msgs")
        return {key.decode(): data for key, data in found.items()}

    def is_dead_letter(self, queue: str, message_id: str) -> bool:
        """Whether a message is among the dead letters of a queue."""
        return any(message_id.encode() in data for data in self.dead_letters(queue).values())

    def close(self) -> None:
        """Close the connections, which a broker made by an URL leaves to its pool."""
        self.broker.client.connection_pool.disconnect()


def wait_until(
    condition: Callable[[], T | None], *, timeout_s: float = 120.0, poll_s: float = 0.05
) -> T:
    """Poll until a condition gives something true, and return it."""
    deadline = time.monotonic() + timeout_s
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"not so within {timeout_s} s"
        time.sleep(poll_s)
