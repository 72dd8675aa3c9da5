"""What becomes of a message as its run ends, and whom that is told, on a real Redis."""

import threading
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest
from dramatiq.broker import MessageProxy
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import Shutdown
from dramatiq.threading import raise_thread_exception
from loguru import logger

from lexiclass_core.schemas import TaskError
from lexiclass_worker.execution.outcome import RetryLater, Snooze, TaskFailed
from lexiclass_worker.middleware.callbacks import Callbacks
from lexiclass_worker.middleware.retries import Retries
from tests.support.workers import wait_until

ERROR = TaskError(code="CRASHED", message="so")

PASSING = {
    "tried again": RetryLater(ERROR, delay_s=0.01),
    "comes back": Snooze("runs elsewhere", delay_s=0.01),
    "shutdown": Shutdown(),
    "unexpected": RuntimeError("unexpected"),
}


class Scene:
    """A worker thread with an actor whose runs end one after the other as they are told to."""

    def __init__(self, broker_url: str) -> None:
        self.broker = RedisBroker(url=broker_url, middleware=[Callbacks(), Retries()])
        self.endings: list[BaseException | str] = []
        self.told: list[Any] = []

        @dramatiq.actor(broker=self.broker)
        def tell(message: dict[str, Any], what: Any) -> None:
            self.told.append(what)

        @dramatiq.actor(broker=self.broker)
        def work() -> str:
            ending = self.endings.pop(0)
            if isinstance(ending, BaseException):
                raise ending
            return ending

        self.work = work

    def run(self, *endings: BaseException | str, **options: Any) -> list[Any]:
        """What the follow-ups were told of a message whose runs end so."""
        self.endings = list(endings)
        self.work.send_with_options(on_failure="tell", on_success="tell", **options)
        wait_until(lambda: not self.endings and self._is_idle())
        return self.told

    def _is_idle(self) -> bool:
        return int(self.broker.do_qsize("default")) == 0


@pytest.fixture
def scene(broker_url: str, caplog: pytest.LogCaptureFixture) -> Iterator[Scene]:
    scene = Scene(broker_url)
    worker = dramatiq.Worker(scene.broker, worker_timeout=10, worker_threads=1)
    worker.start()
    yield scene
    worker.stop()
    scene.broker.client.connection_pool.disconnect()
    assert "Unexpected failure in" not in caplog.text


@pytest.mark.slow_variants
@pytest.mark.parametrize("ending", PASSING.values(), ids=PASSING.keys())
def test_nobody_is_told_of_a_run_after_which_there_is_another(
    scene: Scene, ending: BaseException
) -> None:
    assert scene.run(ending, "done", retries=-2) == ["done"]


def test_a_failure_is_told_once_when_it_is_final(scene: Scene) -> None:
    told = scene.run(RetryLater(ERROR, delay_s=0.01), TaskFailed(ERROR))

    assert told == [{"type": "TaskFailed", "message": ERROR.model_dump_json()}]
    assert scene.broker.client.zcard("dramatiq:default.XQ") == 1


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    "retries", [-5, -(10**400), 20, 10**400], ids=["-5", "smallest", "20", "largest"]
)
def test_a_message_with_an_odd_count_of_retries_is_not_lost(scene: Scene, retries: int) -> None:
    endings: list[BaseException | str] = [RuntimeError("unexpected")]
    if retries < 0:
        endings.append("done")

    (told,) = scene.run(*endings, retries=retries)

    assert told == ("done" if retries < 0 else {"type": "RuntimeError", "message": "unexpected"})


@pytest.mark.slow
def test_a_shutdown_while_redis_takes_nothing_does_not_lose_the_message(broker_url: str) -> None:
    said: list[str] = []
    logger.add(said.append, format="{message}")
    broker = RedisBroker(url=broker_url, middleware=[])

    @dramatiq.actor(broker=broker)
    def work() -> None:
        pass

    message = MessageProxy(work.message())
    ending = Snooze("runs elsewhere", delay_s=60)
    thread = threading.Thread(
        target=Retries().after_process_message, args=(broker, message), kwargs={"exception": ending}
    )
    # It refuses what is written.
    broker.client.config_set("min-replicas-to-write", 1)
    try:
        thread.start()
        wait_until(lambda: any("did not take the message back" in line for line in said))
        said.clear()
        assert thread.ident is not None
        raise_thread_exception(thread.ident, Shutdown)
        wait_until(lambda: any("did not take the message back" in line for line in said))
    finally:
        broker.client.config_set("min-replicas-to-write", 0)
    thread.join(60)
    assert broker.do_qsize("default.DQ") == 1
    broker.client.connection_pool.disconnect()
