"""The sandbox: real children that work, fail, die, hang and outgrow their memory."""

import asyncio
import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from lexiclass_worker.errors import InternalError, SandboxCrashed, StorageUnavailable, WorkerError
from lexiclass_worker.jobs.supervision import Publication
from lexiclass_worker.sandbox.questions import Unsupervised
from tests.support.children import is_alive, pid_in, wait_gone
from tests.support.jobs import (
    DieJob,
    EchoJob,
    HungryJob,
    ModulesJob,
    NowhereJob,
    PanicJob,
    PublishJob,
    RaiseJob,
    SleepJob,
    UnspeakableJob,
    ended,
)
from tests.support.sandboxes import sandbox

pytestmark = pytest.mark.usefixtures("warm_sandbox")


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_a_result_comes_back_from_another_process() -> None:
    value = {"text": "naïve 🐎\u2028", "numbers": [1, 2.5, None, True]}

    result = await sandbox.run(EchoJob(value=value))

    assert result["value"] == value
    assert result["pid"] != os.getpid()


async def test_progress_arrives_in_order_in_the_event_loop() -> None:
    loop = asyncio.get_running_loop()
    seen: list[tuple[str, int, int]] = []

    def note(stage: str, done: int, total: int) -> None:
        assert asyncio.get_running_loop() is loop
        seen.append((stage, done, total))

    await sandbox.run(EchoJob(), on_progress=note)

    assert seen == [(f"echo {done}", done, 3) for done in range(4)]


async def test_a_result_larger_than_a_pipe_comes_back_whole() -> None:
    text = "x" * 3_000_000

    assert (await sandbox.run(EchoJob(value=text)))["value"] == text


class DatabaseAway(Unsupervised):
    """A supervisor that asks a database which does not answer."""

    async def may_publish(self, publication: Publication | None) -> None:
        raise ConnectionRefusedError(111, "Connect call failed")


async def test_a_lost_connection_of_whoever_answers_is_no_crash_of_the_child() -> None:
    with pytest.raises(ConnectionRefusedError, match="Connect call failed"):
        await sandbox.run(PublishJob(), supervisor=DatabaseAway())


async def test_a_child_has_the_libraries_and_none_of_the_database_or_the_queues() -> None:
    loaded = (await sandbox.run(ModulesJob()))["modules"]

    assert {"numpy", "lexiclass", "lexiclass_worker.ml.training"} <= set(loaded)
    packages = {name.partition(".")[0] for name in loaded}
    assert packages.isdisjoint({"sqlalchemy", "asyncpg", "redis", "dramatiq", "alembic"})


async def test_jobs_run_side_by_side(tmp_path: Path) -> None:
    notes = [tmp_path / str(number) for number in range(4)]
    running = [asyncio.create_task(sandbox.run(SleepJob(note=note))) for note in notes]

    # Each sleeps for a minute: all have begun before any has ended.
    pids = {await pid_in(note) for note in notes}

    assert len(pids) == 4
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    assert not any(map(is_alive, pids))


async def test_cancelling_stops_a_child_inside_one_call(tmp_path: Path) -> None:
    running = asyncio.create_task(sandbox.run(SleepJob(note=tmp_path / "pid")))
    pid = await pid_in(tmp_path / "pid")

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not is_alive(pid)
    assert not ended(tmp_path / "pid").exists()


async def test_cancelling_while_the_child_starts_leaves_none_behind(tmp_path: Path) -> None:
    # Silent: one that reports would notice that nobody listens.
    job = SleepJob(note=tmp_path / "pid", is_silent=True)
    running = asyncio.create_task(sandbox.run(job))
    await asyncio.sleep(0)  # now a thread is starting it

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await asyncio.sleep(0.5)
    note = tmp_path / "pid"
    assert not note.exists() or wait_gone(int(note.read_text()))


async def test_a_time_limit_ends_the_child(tmp_path: Path) -> None:
    note = tmp_path / "pid"

    async def expire(limit: asyncio.Timeout) -> int:
        pid = await pid_in(note)
        limit.reschedule(asyncio.get_running_loop().time())
        return pid

    async def run_until_expired() -> None:
        async with asyncio.timeout(None) as limit:
            expiring.append(asyncio.create_task(expire(limit)))
            await sandbox.run(SleepJob(note=note))

    expiring: list[asyncio.Task[int]] = []
    with pytest.raises(TimeoutError):
        await run_until_expired()

    assert not is_alive(await expiring[0])
    assert not ended(note).exists()


@pytest.mark.parametrize(
    ("job", "says", "exit_code"),
    [
        (DieJob(), "was killed by SIGKILL", -signal.SIGKILL),
        (DieJob(signal_number=signal.SIGSEGV), "was killed by SIGSEGV", -signal.SIGSEGV),
        (DieJob(signal_number=None, exit_code=3), "ended with exit code 3", 3),
        (DieJob(signal_number=None, exit_code=0), "ended with exit code 0", 0),
        (RaiseJob(name="SystemExit", arguments=(7,)), "ended with exit code 7", 7),
    ],
)
async def test_a_child_that_dies_without_a_word_is_a_crash(
    job: DieJob | RaiseJob, says: str, exit_code: int
) -> None:
    with pytest.raises(SandboxCrashed, match=says) as raised:
        await sandbox.run(job)

    assert (raised.value.code, raised.value.retryable) == ("CRASHED", True)
    assert raised.value.details["exit_code"] == exit_code


async def test_a_child_killed_from_outside_is_a_crash(tmp_path: Path) -> None:
    running = asyncio.create_task(sandbox.run(SleepJob(note=tmp_path / "pid")))
    os.kill(await pid_in(tmp_path / "pid"), signal.SIGKILL)

    with pytest.raises(SandboxCrashed, match="SIGKILL") as raised:
        await running

    details = raised.value.details
    assert details.pop("peak_memory_bytes") >= 0
    assert details == {
        "exit_code": -9, "signal": "SIGKILL", "stage": "sleep", "done": 1, "total": 2,
        "document_ids": [],
    }  # fmt: skip


async def test_a_child_that_outgrows_its_memory_says_so() -> None:
    with pytest.raises(WorkerError) as raised:
        await sandbox.run(HungryJob())

    assert (raised.value.code, raised.value.retryable) == ("MEMORY_LIMIT", False)


@pytest.mark.parametrize(
    ("job", "code", "retryable"),
    [
        (RaiseJob(name="EmptyVocabulary", arguments=("no words",)), "EMPTY_VOCABULARY", False),
        (RaiseJob(name="ModelCorrupt", arguments=("a", "b")), "MODEL_CORRUPT", False),
        (RaiseJob(name="OSError", arguments=(28, "No space left")), "STORAGE_ERROR", True),
        # The sandbox knows no database: whatever connection it loses is one to the storage.
        (RaiseJob(name="ConnectionResetError", arguments=(104, "gone")), "STORAGE_ERROR", True),
        (RaiseJob(name="TimeoutError"), "STORAGE_ERROR", True),
        (RaiseJob(name="RuntimeError", arguments=("boom",)), "INTERNAL_ERROR", False),
        (NowhereJob(), "INTERNAL_ERROR", False),
        (UnspeakableJob(), "INTERNAL_ERROR", False),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_an_exception_comes_back_under_its_code(
    job: RaiseJob, code: str, retryable: bool
) -> None:
    with pytest.raises(WorkerError) as raised:
        await sandbox.run(job)

    assert (raised.value.code, raised.value.retryable) == (code, retryable)


@pytest.mark.skipif(find_spec("tokenizers") is None, reason="needs tokenizers")
async def test_a_panic_of_a_library_comes_back_as_an_error() -> None:
    with pytest.raises(InternalError, match="unexpected PanicException"):
        await sandbox.run(PanicJob())


async def test_jobs_beyond_the_threads_of_a_loop_do_not_wait_for_each_other(
    tmp_path: Path,
) -> None:
    # asyncio has as many threads as cores and four, and a worker may have more tasks than that.
    count = (os.cpu_count() or 1) + 6
    running = [
        asyncio.create_task(sandbox.run(SleepJob(note=tmp_path / str(number))))
        for number in range(count)
    ]

    pids = {await pid_in(tmp_path / str(number)) for number in range(count)}

    assert len(pids) == count
    for task in running:
        task.cancel()
    await asyncio.wait(running)
    assert not any(map(is_alive, pids))


async def test_what_an_unexpected_exception_says_stays_in_the_log() -> None:
    with pytest.raises(InternalError, match="unexpected RuntimeError") as raised:
        await sandbox.run(RaiseJob(name="RuntimeError", arguments=("password=hunter2",)))

    assert "hunter2" not in str(raised.value.as_task_error())


async def test_a_full_disk_can_be_tried_again() -> None:
    with pytest.raises(StorageUnavailable, match="No space left"):
        await sandbox.run(RaiseJob(name="OSError", arguments=(28, "No space left on device")))


async def test_the_sandbox_works_on_after_crashes() -> None:
    for _ in range(3):
        with pytest.raises(SandboxCrashed):
            await sandbox.run(DieJob())

    assert (await sandbox.run(EchoJob(value=1)))["value"] == 1


async def test_no_file_descriptor_or_child_is_left_over(tmp_path: Path) -> None:
    async def round_trip() -> None:
        await sandbox.run(EchoJob())
        with pytest.raises(SandboxCrashed):
            await sandbox.run(DieJob())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await sandbox.run(SleepJob(note=tmp_path / "pid"))

    await round_trip()
    before = open_files()
    for _ in range(3):
        await round_trip()

    # What a child has printed is read to its end, which comes a moment later.
    async with asyncio.timeout(60):
        while open_files() > before:
            await asyncio.sleep(0.05)
