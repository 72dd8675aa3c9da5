"""How a worker process ends: what is told to whom, and what its signals do."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lexiclass_worker.config import Settings
from lexiclass_worker.middleware.termination import Interruptions, MaxTasks
from lexiclass_worker.queueing.thread_slots import ThreadSlots

# As Dramatiq has it: the first signal is noted, a second leaves by `sys.exit`.
ENDING = """
import signal, sys, time
from lexiclass_worker.middleware.termination import Termination
from lexiclass_worker.config import Settings
from lexiclass_worker.queueing.thread_slots import ThreadSlots

said = []

def heed(number, frame):
    said.append(number)
    if len(said) > 1:
        sys.exit(3)

for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, heed)
Termination(Settings(), ThreadSlots()).before_worker_boot(None, None)
print("ready", flush=True)
try:
    while not said:
        time.sleep(0.01)
    print("heeded", flush=True)
    time.sleep(600)
except SystemExit:
    print("left by Dramatiq", flush=True)
    raise
"""


@pytest.mark.slow_variants
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_ends_the_process_at_once_whichever_the_first_was(
    first: signal.Signals, second: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URI", "postgresql+asyncpg://u:p@127.0.0.1:1/x")
    process = subprocess.Popen([sys.executable, "-c", ENDING], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n"
            process.send_signal(first)
            assert process.stdout.readline() == "heeded\n"
            # What comes within a second is the same request.
            time.sleep(1.2)
            process.send_signal(second)
            assert process.wait(60) == 1
            assert process.stdout.read() == ""
        finally:
            process.kill()


def test_threads_that_begin_or_end_a_message_meanwhile_keep_no_other_from_being_told() -> None:
    threads = Interruptions().manager.notifications  # type: ignore[attr-defined]
    threads.update(range(100))
    told = []
    for thread in threads:
        told.append(thread)
        threads.discard(thread)
        threads.add(thread + 1_000)
    assert sorted(told) == list(range(100))


def test_a_worker_that_ends_is_not_told_so_by_its_last_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, _number: told.append(pid))
    slots = ThreadSlots(1)
    slots.close()
    # A coroutine that took longer to end than Dramatiq waits.
    MaxTasks(slots, Settings()).after_process_message(None, None, exception=RuntimeError("slow"))  # type: ignore[arg-type]
    assert told == []
    other = ThreadSlots(1)
    MaxTasks(other, Settings()).after_process_message(None, None, result={})  # type: ignore[arg-type]
    assert len(told) == 1


# Of a message that was taken a moment before, and whose thread begins it now.
BEGINNING = """
import asyncio, sys
import dramatiq
from dramatiq.middleware import Shutdown
import actors
from lexiclass_worker.middleware.termination import Termination

broker = dramatiq.get_broker()
(termination,) = (each for each in broker.middleware if isinstance(each, Termination))
termination.before_worker_shutdown(broker, None)
try:
    asyncio.run(broker.get_actor("train_field_model").fn.__wrapped__(project_id=1, field_id=1))
except Shutdown:
    print("goes back")
"""


@pytest.mark.slow
def test_a_message_that_a_thread_begins_when_its_worker_ends_goes_back(
    environment: dict[str, str],
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BEGINNING],
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "goes back\n", done.stderr
