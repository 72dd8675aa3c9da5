"""Children that do one job after another."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lexiclass_worker.errors import SandboxCrashed, WorkerError
from lexiclass_worker.sandbox.access import grant
from lexiclass_worker.sandbox.memory import Limits
from lexiclass_worker.sandbox.pool import Sandbox
from lexiclass_worker.sandbox.process import Child
from lexiclass_worker.sandbox.questions import Unsupervised
from lexiclass_worker.setting_groups import SandboxSettings
from tests.support.children import is_alive, pid_in, process_with_number, wait_gone
from tests.support.jobs import (
    DieJob,
    EchoJob,
    HoardJob,
    SharingEchoJob,
    SharingRaiseJob,
    SharingSleepJob,
)

pytestmark = pytest.mark.usefixtures("warm_sandbox")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(kept=2)
    yield made
    made.close()


async def echo(sandbox: Sandbox) -> int:
    return int((await sandbox.run(SharingEchoJob()))["pid"])


async def test_one_job_after_another_is_done_in_the_same_child(sandbox: Sandbox) -> None:
    values = [await sandbox.run(SharingEchoJob(value=number)) for number in range(5)]

    assert [value["value"] for value in values] == list(range(5))
    assert len({value["pid"] for value in values}) == 1


async def test_a_job_that_asks_for_it_has_a_child_for_itself(sandbox: Sandbox) -> None:
    shared = await echo(sandbox)

    pids = {(await sandbox.run(EchoJob()))["pid"] for _ in range(2)}

    assert len(pids) == 2
    assert shared not in pids
    assert not any(map(is_alive, pids))
    assert await echo(sandbox) == shared


async def test_jobs_at_the_same_time_have_different_children(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    jobs = [SharingSleepJob(note=tmp_path / str(number), seconds=0.5) for number in range(4)]
    running = [asyncio.create_task(sandbox.run(job)) for job in jobs]
    pids = {await pid_in(job.note) for job in jobs}
    await asyncio.gather(*running)

    # Two of the four are kept.
    assert len(pids) == 4
    assert sum(map(is_alive, pids)) == 2


async def test_event_loops_share_children(sandbox: Sandbox) -> None:
    first = await echo(sandbox)

    assert await asyncio.to_thread(asyncio.run, echo(sandbox)) == first
    assert await echo(sandbox) == first


async def test_a_child_is_replaced_after_its_share_of_jobs() -> None:
    sandbox = Sandbox(SandboxSettings(jobs_per_child=3))

    pids = [await echo(sandbox) for _ in range(7)]

    sandbox.close()
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
    assert not any(map(is_alive, pids))


async def test_a_child_that_has_grown_is_replaced() -> None:
    mebibyte = 2**20
    sandbox = Sandbox(SandboxSettings(model_cache_bytes=16 * mebibyte, growth_bytes=32 * mebibyte))

    first = await echo(sandbox)
    assert (await sandbox.run(HoardJob(size=24 * mebibyte)))["pid"] == first
    assert (await sandbox.run(HoardJob(size=24 * mebibyte)))["pid"] == first  # 48: as allowed
    assert (await sandbox.run(HoardJob(size=24 * mebibyte)))["pid"] != first

    sandbox.close()
    assert not is_alive(first)


async def test_a_child_without_work_ends_and_the_next_job_finds_another() -> None:
    sandbox = Sandbox(SandboxSettings(idle_s=0.2))
    first = await echo(sandbox)

    assert wait_gone(first)
    second = await echo(sandbox)

    sandbox.close()
    assert second != first


async def test_a_child_waits_for_its_first_work_however_long_it_is_on_its_way() -> None:
    job = SharingEchoJob(value=3)
    child = await asyncio.to_thread(Child.start, SandboxSettings(idle_s=0.02), grant(job.access))
    await asyncio.sleep(0.3)
    limits = Limits(memory_bytes=None, threads=1_000)
    reply = await child.do(job, lambda *_: None, Unsupervised(), limits)
    await child.end(grace_s=5)
    assert reply.result["value"] == 3


@pytest.mark.slow
async def test_a_child_that_ends_as_it_is_given_work_costs_the_job_nothing() -> None:
    # All of this is over before the children stop waiting, or about when they do.
    sandbox = Sandbox(SandboxSettings(idle_s=0.02))
    for number in range(20):
        assert (await sandbox.run(SharingEchoJob(value=number)))["value"] == number
        await asyncio.sleep(0.0185)
    sandbox.close()


async def test_a_waiting_child_that_was_killed_costs_the_next_job_nothing(
    sandbox: Sandbox,
) -> None:
    first = await echo(sandbox)
    os.kill(first, signal.SIGKILL)

    assert await echo(sandbox) != first


@pytest.mark.slow
async def test_children_that_die_while_others_are_started_cost_these_nothing(
    sandbox: Sandbox,
) -> None:
    """They are asked for how they ended from two sides: by the fork server and by its library."""
    at_once = asyncio.Semaphore(8)

    async def run(number: int) -> object:
        async with at_once:
            if number % 2:
                return (await sandbox.run(EchoJob(value=number)))["value"]
            with pytest.raises(SandboxCrashed) as crashed:
                await sandbox.run(DieJob())
            return crashed.value.details["signal"]

    outcomes = await asyncio.gather(*map(run, range(100)))
    assert outcomes == [number if number % 2 else "SIGKILL" for number in range(100)]


async def test_who_has_the_number_of_a_child_that_ended_is_left_alone(sandbox: Sandbox) -> None:
    first = await echo(sandbox)
    os.kill(first, signal.SIGKILL)
    assert wait_gone(first)

    with process_with_number(first) as stranger:
        assert await echo(sandbox) != first
        assert stranger.poll() is None


async def test_a_cancelled_job_takes_its_child_along(sandbox: Sandbox, tmp_path: Path) -> None:
    first = await echo(sandbox)
    running = asyncio.create_task(sandbox.run(SharingSleepJob(note=tmp_path / "pid")))
    assert await pid_in(tmp_path / "pid") == first

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not is_alive(first)
    assert await echo(sandbox) != first


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [("PluginMismatch", True), ("RuntimeError", False), ("MemoryError", False)],
)
async def test_a_child_goes_on_after_errors_that_say_nothing_against_it(
    sandbox: Sandbox, error: str, is_kept: bool
) -> None:
    first = await echo(sandbox)
    with pytest.raises(WorkerError):
        await sandbox.run(SharingRaiseJob(name=error, arguments=("no",)))

    assert (await echo(sandbox) == first) == is_kept


async def test_closing_ends_the_children_that_wait(sandbox: Sandbox) -> None:
    pid = await echo(sandbox)

    sandbox.close()

    assert not is_alive(pid)
    # What comes late is done, and leaves nothing behind.
    assert not is_alive(await echo(sandbox))


@pytest.mark.slow
async def test_a_fork_server_that_was_killed_is_started_again(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    waiting = await echo(sandbox)
    running = asyncio.create_task(sandbox.run(SharingSleepJob(note=tmp_path / "pid")))
    working = await pid_in(tmp_path / "pid")
    assert working == waiting
    waiting = await echo(sandbox)
    parent = psutil.Process(waiting).parent()
    assert parent is not None
    assert "fork_server" in " ".join(parent.cmdline())

    parent.kill()
    # Nobody would tell any more how it ends.
    with pytest.raises(SandboxCrashed):
        await running

    assert await echo(sandbox) not in {waiting, working}
    assert wait_gone(waiting)
    assert wait_gone(working)
