"""What bounds a child: memory, threads, time inside a C call, and the life of its worker."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.errors import MemoryLimitReached, SandboxCrashed
from lexiclass_worker.sandbox import memory
from lexiclass_worker.sandbox.native_threads import available_cores
from lexiclass_worker.sandbox.pool import Sandbox
from lexiclass_worker.setting_groups import LimitSettings
from tests.support.children import is_alive, pid_in, wait_gone
from tests.support.jobs import (
    DecomposeJob,
    EchoJob,
    HoardJob,
    HungryJob,
    OffspringJob,
    ended,
)

pytestmark = pytest.mark.usefixtures("warm_sandbox")

MEBIBYTE = 2**20
ROOT = Path(__file__).parents[2]


# Memory


async def test_a_job_that_takes_too_much_memory_is_stopped_inside_one_call() -> None:
    bounded = Sandbox(memory_limit_bytes=64 * MEBIBYTE)

    with pytest.raises(
        MemoryLimitReached, match=r"may take 64 MiB.*LIMITS__MEMORY_BYTES"
    ) as raised:
        await bounded.run(HoardJob(size=2_000 * MEBIBYTE))

    details = raised.value.details
    assert (raised.value.code, raised.value.retryable) == ("MEMORY_LIMIT", False)
    assert details["limit_bytes"] == 64 * MEBIBYTE
    # Stopped on the way, not at the end.
    assert 64 * MEBIBYTE < details["peak_memory_bytes"] < 1_500 * MEBIBYTE
    assert details["stage"] == "hoard"
    assert (await bounded.run(EchoJob(value=1)))["value"] == 1


async def test_what_the_processes_of_a_job_take_counts_too() -> None:
    bounded = Sandbox(memory_limit_bytes=64 * MEBIBYTE)

    with pytest.raises(MemoryLimitReached) as raised:
        async with asyncio.timeout(50):
            await bounded.run(HoardJob(size=200 * MEBIBYTE, in_offspring=True))

    assert raised.value.details["peak_memory_bytes"] > 64 * MEBIBYTE


async def test_what_a_child_held_before_is_not_held_against_a_job() -> None:
    bounded = Sandbox(memory_limit_bytes=64 * MEBIBYTE)

    pids = {(await bounded.run(HoardJob(size=48 * MEBIBYTE)))["pid"] for _ in range(3)}

    bounded.close()
    assert len(pids) == 1


@pytest.mark.slow
async def test_mapped_files_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "model"
    with file.open("wb") as written:
        written.truncate(256 * MEBIBYTE)
    bounded = Sandbox(memory_limit_bytes=64 * MEBIBYTE)

    await bounded.run(HoardJob(size=0, file=file))

    bounded.close()


async def test_an_allocation_that_fails_says_how_much_there_was() -> None:
    with pytest.raises(MemoryLimitReached) as raised:
        await Sandbox().run(HungryJob())

    assert raised.value.details["peak_memory_bytes"] > 0


def test_a_limit_that_cannot_be_kept_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_PROC", tmp_path)
    settings = Settings(limits=LimitSettings(memory_bytes=64 * MEBIBYTE))

    with pytest.raises(ConfigurationError, match="LIMITS__MEMORY_BYTES"):
        Sandbox.from_settings(settings, tasks=1)


# Time


async def test_a_child_is_stopped_inside_linear_algebra(tmp_path: Path) -> None:
    running = asyncio.create_task(Sandbox().run(DecomposeJob(note=tmp_path / "pid")))
    pid = await pid_in(tmp_path / "pid")
    await asyncio.sleep(0.5)  # the call has begun
    assert is_alive(pid)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not is_alive(pid)
    assert not ended(tmp_path / "pid").exists()


# What a job starts


async def test_what_a_job_has_started_ends_with_it(tmp_path: Path) -> None:
    running = asyncio.create_task(Sandbox().run(OffspringJob(note=tmp_path / "pid")))
    offspring = await pid_in(tmp_path / "pid")

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert wait_gone(offspring)


async def test_a_death_is_noticed_while_what_the_job_has_started_lives(tmp_path: Path) -> None:
    with pytest.raises(SandboxCrashed, match="SIGKILL"):
        async with asyncio.timeout(50):
            await Sandbox().run(OffspringJob(note=tmp_path / "pid", dies=True))

    assert wait_gone(await pid_in(tmp_path / "pid"))


# Workers: scripts of their own, which can be killed

WORKER = """
import asyncio, json, sys
from pathlib import Path
from pydantic import SecretStr
from lexiclass_worker.config import Settings
from lexiclass_worker.setting_groups import SandboxSettings
from lexiclass_worker.sandbox import Sandbox
from tests.support.jobs import SharingEchoJob, SleepJob, SurroundingsJob

async def main(sandbox):
    directory = Path(sys.argv[1])
    found = await sandbox.run(SurroundingsJob())
    found["waiting"] = (await sandbox.run(SharingEchoJob()))["pid"]
    (directory / "found").write_text(json.dumps(found))
    if sys.argv[2] == "hang":
        await sandbox.run(SleepJob(note=directory / "pid"))

if __name__ == "__main__":
    threads = int(sys.argv[3]) if len(sys.argv) > 3 else None
    settings = Settings(sandbox=SandboxSettings(native_threads=threads))
    asyncio.run(main(Sandbox.from_settings(settings, tasks=1000)))
"""


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A worker's folder for temporary files; a socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="lexi-") as directory:
        yield Path(directory)


def start_worker(directory: Path, temporary: Path, *arguments: str) -> subprocess.Popen[bytes]:
    script = directory / "worker.py"
    script.write_text(WORKER)
    return subprocess.Popen(
        [sys.executable, str(script), str(directory), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
    )


@pytest.mark.slow
def test_nothing_is_left_of_a_worker_that_is_killed(tmp_path: Path, temporary: Path) -> None:
    worker = start_worker(tmp_path, temporary, "hang")
    try:
        asyncio.run(pid_in(tmp_path / "pid"))
        family = psutil.Process(worker.pid).children(recursive=True)
        names = {process.name() for process in family}
    finally:
        worker.kill()
        worker.wait()

    assert names >= {"lexi:idle", "lexi:Sleep"}
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_worker_that_ends_does_not_wait_for_children_without_work(
    tmp_path: Path, temporary: Path
) -> None:
    worker = start_worker(tmp_path, temporary, "end")
    assert worker.wait(60) == 0

    found = (tmp_path / "found").read_text()
    assert '"waiting"' in found
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "expected"), [((), 1), pytest.param(("2",), 2, marks=pytest.mark.slow)]
)
def test_native_threads_are_bounded(
    tmp_path: Path, temporary: Path, setting: tuple[str, ...], expected: int
) -> None:
    """A thousand tasks share the cores out, unless the setting says how many threads to use."""
    worker = start_worker(tmp_path, temporary, "end", *setting)
    assert worker.wait(60) == 0

    found = json.loads((tmp_path / "found").read_text())
    assert set(found["threads"]) == {expected}
    assert found["environment"] == {
        "OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": str(expected),
    }  # fmt: skip
    # The out-of-memory killer takes a child first.
    assert found["out_of_memory_score"] == 500
    assert found["name"] == "lexi:Surroundin"


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1)]
)
def test_a_containers_share_of_the_cores_counts(
    tmp_path: Path, quota: str, expected: int | None
) -> None:
    (tmp_path / "cpu.max").write_text(f"{quota}\n")

    assert available_cores(tmp_path / "cpu.max") == (expected or len(os.sched_getaffinity(0)))
    assert available_cores(tmp_path / "none") == len(os.sched_getaffinity(0))
