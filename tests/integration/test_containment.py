"""What code inside a child cannot do: it is run there on purpose, and tries."""

import asyncio
import errno
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import fsspec
import pytest

from lexiclass.containment import protection
from lexiclass_worker import preflight
from lexiclass_worker.artifacts.stored_project import StoredProject
from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.errors import MemoryLimitReached, SandboxCrashed, SandboxFailure
from lexiclass_worker.jobs.job import Access
from lexiclass_worker.sandbox import memory
from lexiclass_worker.sandbox.notes import Notes
from lexiclass_worker.sandbox.pool import Sandbox
from lexiclass_worker.sandbox.questions import Unsupervised
from lexiclass_worker.setting_groups import SandboxSettings
from tests.support.attacks import AttackJob, ForkBombJob, SharingAttackJob
from tests.support.children import is_alive, pid_in, wait_gone
from tests.support.object_store import ObjectStore

pytestmark = [
    pytest.mark.usefixtures("warm_sandbox"),
    pytest.mark.skipif(not protection().is_enough, reason="this kernel contains nothing"),
]

REFUSED = {"refused"}


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    made = Sandbox(kept=2)
    yield made
    made.close()


async def tried(
    sandbox: Sandbox, *attacks: tuple[str, Any], access: Access | None = None
) -> dict[str, Any]:
    """What came of each: its result, or the number of the error."""
    found = await sandbox.run(AttackJob(attacks=attacks, access=access or Access()))
    return {key: came for key, came in found.items() if key != "pid"}


def outcomes(found: dict[str, Any]) -> set[str]:
    return {came[0] for came in found.values()}


# Files


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    for project in ("1", "12", "2"):
        for folder in ("documents", "indexes"):
            (tmp_path / project / folder).mkdir(parents=True)
            (tmp_path / project / folder / "file").write_text(f"of {project}")
    (tmp_path / ".env").write_text("DATABASE_URI=secret")
    return tmp_path


async def test_files_of_the_machine_and_of_other_projects_are_not_read(
    sandbox: Sandbox, storage: Path
) -> None:
    secrets = Path(tempfile.gettempdir(), "lexi-secret")
    secrets.write_text("secret")
    paths = [
        *("/etc/passwd", "/etc/shadow", "/etc/hostname", "/root/.bashrc"),
        str(secrets),
        str(storage / "12" / "documents" / "file"),
        str(storage / "2" / "indexes" / "file"),
        str(storage / ".env"),
        str(storage / "1" / ".." / ".env"),
        str(Path(__file__).parents[2] / "Makefile"),
        f"/proc/{os.getpid()}/environ",
        f"/proc/{os.getpid()}/cmdline",
        f"/proc/{os.getpid()}/root/etc/passwd",
        f"/proc/{os.getpid()}/cwd/Makefile",
    ]
    there = [path for path in paths if Path(path).exists()]
    assert len(there) > 8

    access = Access(reads=(str(storage / "1"),))
    found = await tried(sandbox, *(("read", path) for path in there), access=access)

    secrets.unlink()
    assert {tuple(came) for came in found.values()} == {("refused", errno.EACCES)}


async def test_the_files_of_its_job_are_read_and_nothing_is_written_beside_its_own(
    sandbox: Sandbox, storage: Path
) -> None:
    documents, indexes = storage / "1" / "documents", storage / "1" / "indexes"
    access = Access(reads=(str(storage / "1"),), writes=(str(indexes),))

    allowed = await tried(
        sandbox,
        ("read", str(documents / "file")),
        ("list_folder", str(documents)),
        ("write", str(indexes / "new")),
        ("hard_link_to", [str(indexes / "new"), str(indexes / "again")]),
        ("truncate", str(indexes / "file")),
        ("remove", str(indexes / "file")),
        ("work_with_temporary_files", None),
        access=access,
    )
    refused = await tried(
        sandbox,
        ("write", str(documents / "file")),
        ("write", str(documents / "new")),
        ("truncate", str(documents / "file")),
        ("remove", str(documents / "file")),
        ("write", str(storage / "2" / "indexes" / "file")),
        ("write", str(storage / "new")),
        ("write", "/tmp/lexi-new"),
        ("write", "/dev/shm/lexi-new"),
        ("write", "/var/tmp/lexi-new"),
        ("write", str(Path(__file__).parents[2] / "actors" / "new.py")),
        ("write", "/proc/self/oom_score_adj"),
        ("list_folder", "/etc"),
        ("list_folder", str(storage)),
        # Out of what may be written, into it, and by a link that another would follow.
        ("hard_link_to", [str(storage / "2" / "indexes" / "file"), str(indexes / "stolen")]),
        ("hard_link_to", [str(indexes / "again"), str(documents / "planted")]),
        ("link_to", ["/etc/passwd", str(indexes / "link")]),
        ("open_rights", str(indexes / "again")),
        ("open_rights", str(storage / ".env")),
        access=access,
    )

    assert outcomes(allowed) == {"done"}, allowed
    assert outcomes(refused) == REFUSED, refused
    assert (documents / "file").read_text() == "of 1"
    assert sorted(path.name for path in indexes.iterdir()) == ["again", "new"]


async def test_a_child_that_is_used_again_stays_with_its_project(
    sandbox: Sandbox, storage: Path
) -> None:
    async def run(project: str, path: Path) -> dict[str, Any]:
        access = Access(reads=(str(storage / project),))
        attacks = (("read", str(path)),)
        return await sandbox.run(SharingAttackJob(attacks=attacks, access=access))

    first = [await run("1", storage / "1" / "documents" / "file") for _ in range(2)]
    second = [await run("2", storage / "1" / "documents" / "file") for _ in range(2)]
    again = await run("1", storage / "2" / "documents" / "file")

    assert len({found["pid"] for found in (*first, again)}) == 1
    assert len({found["pid"] for found in second}) == 1
    assert {found["0 read"][0] for found in first} == {"done"}
    assert {found["0 read"][0] for found in (*second, again)} == REFUSED


async def test_a_folder_that_takes_the_place_of_another_is_seen(
    sandbox: Sandbox, storage: Path
) -> None:
    access = Access(reads=(str(storage / "1"),))
    job = SharingAttackJob(
        attacks=(("read", str(storage / "1" / "documents" / "file")),), access=access
    )
    await sandbox.run(job)
    (storage / "1").rename(storage / "old")
    (storage / "12").rename(storage / "1")

    assert (await sandbox.run(job))["0 read"] == ["done", "of 12"]


async def test_a_link_in_the_storage_gives_access_to_nothing(
    sandbox: Sandbox, storage: Path
) -> None:
    other = storage / "2" / "documents"
    (storage / "3").symlink_to(storage / "2")
    (storage / "1" / "models").symlink_to(other)
    access = Access(
        reads=(str(storage / "3"),),
        writes=(str(storage / "1" / "models"), str(storage / "9" / "indexes")),
        root=str(storage),
    )

    found = await tried(
        sandbox,
        ("read", str(other / "file")),
        ("write", str(other / "file")),
        access=access,
    )
    made = await tried(sandbox, ("write", str(storage / "9" / "indexes" / "new")), access=access)

    assert outcomes(found) == REFUSED
    # Its own is made, where no link lies on the way.
    assert outcomes(made) == {"done"}


async def test_children_of_several_projects_wait_and_not_of_many(
    sandbox: Sandbox, storage: Path
) -> None:
    pids = []
    for number in range(12):
        folder = storage / f"project-{number}"
        folder.mkdir()
        job = SharingAttackJob(attacks=(), access=Access(reads=(str(folder),)))
        pids.append((await sandbox.run(job))["pid"])

    assert len(set(pids)) == 12
    assert [is_alive(pid) for pid in pids] == [False] * 4 + [True] * 8


async def test_a_job_writes_the_files_that_its_worker_has_opened(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("kept")
    link.symlink_to(target)

    with pytest.raises(OSError, match="symbolic link"):
        await sandbox.run(AttackJob(attacks=(), access=Access(outputs=(link,))))

    assert target.read_text() == "kept"


# Network and other programs


async def test_no_server_is_reached(
    sandbox: Sandbox, servers: EmbeddedServers, tmp_path: Path
) -> None:
    addresses: list[tuple[str, int]] = []
    for url in (servers.database_uri, servers.broker_url):
        parts = urlsplit(url)
        assert parts.port is not None
        addresses.append((parts.hostname or "", parts.port))
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
        own = opened.enter_context(socket.socket(socket.AF_UNIX))
        path = f"{folder}/socket"
        own.bind(path)
        own.listen()
        datagrams = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        datagrams.bind(f"{folder}/datagrams")
        # From here all of them answer.
        for address in addresses:
            socket.create_connection(address, timeout=2).close()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)

        found = await tried(
            sandbox,
            *(("connect", address) for address in addresses),
            ("connect", path),
            ("connect", "\0abstract"),
            ("connect_one_of_a_pair", f"{folder}/datagrams"),
            ("connect", ("::1", addresses[0][1])),
            ("send_datagram", ("127.0.0.1", 53)),
            ("listen", None),
            ("connect_by_ring", None),
            # Not even by a folder that it may write to.
            access=Access(writes=(folder,)),
        )

        pair = await tried(sandbox, ("make_a_pair", None))

    assert outcomes(found) == REFUSED, found
    assert outcomes(pair) == {"done"}, "processes that share work talk by one"


class _OfProjectOne(Unsupervised):
    """Has an object store for the children of project 1, which change nothing."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def stored_project(self) -> StoredProject:
        return StoredProject(
            "s3://bucket/contained",
            1,
            cache_directory=self._cache,
            cache_bytes=10**6,
            document_bytes=1000,
            is_writer=False,
        )


async def test_a_job_on_an_object_store_has_its_project_from_the_worker_and_no_key(
    sandbox: Sandbox, object_store: ObjectStore, object_store_port: int, tmp_path: Path
) -> None:
    store = fsspec.filesystem("s3", use_listings_cache=False)
    for project in (1, 2):
        store.pipe_file(f"bucket/contained/{project}/documents/7.txt", b"a text")
    store.pipe_file("bucket/contained/1/indexes/icu-en/index.json", b"{}")

    job = AttackJob(
        attacks=(
            ("read_from_store", "1/documents/7.txt"),
            ("read_from_store", "2/documents/7.txt"),
            ("read_from_store", "1/../2/documents/7.txt"),
            ("change_index_of_store", "icu-en"),
            ("fetch_index_of_store", "../../2/indexes/icu-en"),
            ("connect", ("127.0.0.1", object_store_port)),
            ("environment", None),
        ),
        access=Access(),
    )
    found = await sandbox.run(job, supervisor=_OfProjectOne(tmp_path))

    assert found["0 read_from_store"] == ["done", "a text"]
    refused = [found[key] for key in found if key[0] in "12345"]
    assert {tuple(came) for came in refused} <= {
        ("refused", errno.EACCES),
        ("refused", errno.EPERM),
    }
    assert len(refused) == 5
    assert not any("AWS_" in entry for entry in found["6 environment"][1])
    assert store.cat_file("bucket/contained/1/indexes/icu-en/index.json") == b"{}"


async def test_no_program_is_started_and_no_privilege_gained(sandbox: Sandbox) -> None:
    program = "/tmp/lexi-program"
    Path(program).write_text("#!/bin/sh\necho run\n")
    Path(program).chmod(0o755)

    found = await tried(
        sandbox,
        ("run_program", ["/bin/true"]),
        ("run_program", [sys.executable, "-c", ""]),
        ("run_program", [program]),
        ("become_root_of_a_namespace", None),
        ("clone_into_a_namespace", None),
        ("mount", "/tmp"),
        access=Access(writes=("/tmp",)),
    )
    about = (await tried(sandbox, ("status", None)))["0 status"][1]

    Path(program).unlink()
    assert outcomes(found) == REFUSED, found
    assert (about["NoNewPrivs"], about["Seccomp"]) == ("1", "2")
    assert int(about["CapBnd"], 16) == 0 or os.geteuid() != 0
    # Of what root may, the files of other accounts are left.
    assert int(about["CapEff"], 16) & ~0b1110 == 0


# Other processes


async def test_other_processes_are_not_touched(sandbox: Sandbox) -> None:
    found = await tried(
        sandbox,
        ("trace", os.getpid()),
        ("trace", os.getppid()),
        ("read_memory", os.getpid()),
        ("leave_group", None),
        ("leave_session", None),
    )
    assert outcomes(found) == REFUSED, found


_OF_NO_MORE_RIGHTS = (
    "from lexiclass.containment.privileges import drop_capabilities; drop_capabilities(); "
    "print(flush=True); import time; time.sleep(60)"
)


async def test_limits_and_turns_of_other_processes_are_not_changed(sandbox: Sandbox) -> None:
    # A worker of root has more rights than its children, which alone would protect it.
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _OF_NO_MORE_RIGHTS, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        await other.stdout.readline()
        before = (resource.prlimit(other.pid, resource.RLIMIT_NOFILE), os.getpriority(0, other.pid))
        found = await tried(
            sandbox,
            ("limit_another", other.pid),
            ("slow_down_another", other.pid),
            ("slow_down_the_disk_of_another", other.pid),
            ("move_another", other.pid),
            ("reschedule_another", other.pid),
        )
        after = (resource.prlimit(other.pid, resource.RLIMIT_NOFILE), os.getpriority(0, other.pid))
    finally:
        other.kill()
        await other.wait()

    assert outcomes(found) == REFUSED, found
    assert before == after
    assert outcomes(await tried(sandbox, ("change_its_own", None))) == {"done"}


async def test_the_output_of_the_worker_is_not_in_the_hands_of_a_child(sandbox: Sandbox) -> None:
    found = await tried(sandbox, ("cut_off_output", 1), ("cut_off_output", 2))
    assert {tuple(came) for came in found.values()} == {("refused", errno.EINVAL)}  # pipes

    (opened,) = (await tried(sandbox, ("descriptors", None))).values()
    for number in (1, 2):
        assert opened[1][str(number)] != str(Path(f"/proc/self/fd/{number}").readlink())


async def test_nothing_of_the_account_is_shared_watched_or_typed(
    sandbox: Sandbox, storage: Path
) -> None:
    found = await tried(
        sandbox,
        ("share_memory_by_number", None),
        ("share_semaphores_by_number", None),
        ("send_by_number", None),
        ("open_queue", "lexi-queue"),
        ("watch_folder", str(storage / "2" / "documents")),
        ("type_at_terminal", None),
    )

    assert {tuple(came) for came in found.values()} == {("refused", errno.EPERM)}, found


@pytest.mark.skipif(protection().landlock_abi < 6, reason="Linux 6.12 keeps signals in")
async def test_no_signal_reaches_the_worker(sandbox: Sandbox) -> None:
    found = await tried(
        sandbox, ("send_signal", os.getpid()), ("send_signal", os.getppid()), ("send_signal", 1)
    )
    assert outcomes(found) == REFUSED, found


@pytest.mark.slow
async def test_what_a_child_prints_is_not_in_the_hands_of_another(sandbox: Sandbox) -> None:
    reading = asyncio.create_task(tried(sandbox, ("read_what_is_printed", 6.0)))
    await asyncio.sleep(0.5)

    await tried(sandbox, ("print_often", "of another project\n"))

    assert "another" not in (await reading)["0 read_what_is_printed"][1]


async def test_work_that_shares_itself_among_no_processes_forks_none(sandbox: Sandbox) -> None:
    alone, sharing = Access(), Access(num_processes=2)

    assert outcomes(await tried(sandbox, ("fork", None), access=alone)) == REFUSED
    assert outcomes(await tried(sandbox, ("fork", None), access=sharing)) == {"done"}


@pytest.mark.slow
async def test_a_flood_of_processes_ends_with_its_job(sandbox: Sandbox) -> None:
    before = set(_processes())

    async with asyncio.timeout(60):
        with pytest.raises(SandboxFailure, match="threads and processes and may have") as raised:
            await sandbox.run(ForkBombJob())

    assert (raised.value.code, raised.value.retryable) == ("CRASHED", False)
    deadline = time.monotonic() + 60
    while (left := _of_sandbox(set(_processes()) - before)) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
    assert left == []


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _of_sandbox(pids: set[int]) -> list[int]:
    found = []
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{pid}/comm").read_text().startswith("lexi:ForkBomb") and is_alive(pid):
                found.append(pid)
    return found


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    "data",
    [
        pytest.param("ff" * 8, id="a message without end"),
        pytest.param("0000010000000000", id="a message of a terabyte"),
        pytest.param("0000000000000004" + b"{[}]".hex(), id="no JSON"),
        pytest.param("0000000000000002" + b"[]".hex(), id="another JSON"),
        pytest.param("0000000000000002" + b"{}".hex(), id="nothing said"),
        pytest.param("000000000000000e" + b'{"progress":1}'.hex(), id="half of a report"),
    ],
)
async def test_what_a_child_sends_harms_its_task_only(sandbox: Sandbox, data: str) -> None:
    held = memory.read_memory(os.getpid())
    async with asyncio.timeout(60):
        with pytest.raises((SandboxCrashed, ValueError, TypeError, KeyError)):
            await sandbox.run(AttackJob(attacks=(("send_to_worker", data),)))

    assert memory.read_memory(os.getpid()) - held < 64 * 2**20
    assert await tried(sandbox, ("work_in_threads", 1)) == {"0 work_in_threads": ["done", 1]}


async def test_a_child_that_never_stops_talking_leaves_others_their_turn(sandbox: Sandbox) -> None:
    talking = asyncio.create_task(
        sandbox.run(AttackJob(attacks=(("work_in_threads", 1), ("talk_to_worker", 60.0))))
    )
    await asyncio.sleep(0.5)

    for _ in range(3):
        assert outcomes(await tried(sandbox, ("work_in_threads", 1))) == {"done"}
    assert not talking.done()

    talking.cancel()
    with suppress(asyncio.CancelledError):
        await talking


async def test_what_a_child_leaves_holds_up_no_other(sandbox: Sandbox) -> None:
    server = (await tried(sandbox, ("parent", None)))["0 parent"]

    found = await tried(sandbox, ("leave_deep_folders", 3000))

    folder = Path(found["0 leave_deep_folders"][1])
    assert (await tried(sandbox, ("parent", None)))["0 parent"] == server
    async with asyncio.timeout(60):
        while folder.exists():
            await asyncio.sleep(0.05)


STAYING = """
import asyncio, sys
from lexiclass_worker.jobs.job import Access
from lexiclass_worker.sandbox.pool import Sandbox
from lexiclass_worker.sandbox.questions import Unsupervised
from tests.support.attacks import AttackJob

folder = sys.argv[1]
job = AttackJob(attacks=(("stay", folder + "/pid"),), access=Access(writes=(folder,)))
asyncio.run(Sandbox().run(job))
"""


@pytest.mark.slow
async def test_a_child_does_not_outlive_its_worker_whatever_it_does(tmp_path: Path) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STAYING, str(tmp_path)),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        pid = await pid_in(tmp_path / "pid")
    finally:
        worker.kill()
        await worker.wait()

    assert await asyncio.to_thread(wait_gone, pid, timeout_s=30)


async def test_memory_counts_that_no_page_was_written_to(sandbox: Sandbox) -> None:
    limited = Sandbox(memory_limit_bytes=64 * 2**20)
    with pytest.raises(MemoryLimitReached):
        await limited.run(AttackJob(attacks=(("read_far_and_wide", 100),)))
    limited.close()

    found = await tried(
        sandbox, ("keep_in_a_file_of_memory", None), ("keep_in_secret_memory", None)
    )
    assert outcomes(found) == REFUSED, found


def test_memory_that_is_shared_with_a_child_keeps_its_size() -> None:
    notes = Notes(4)
    for size in (0, 2**20):
        with pytest.raises(PermissionError):
            os.ftruncate(notes.descriptor, size)
    notes.close_file()


# Secrets

PASSWORD = "s3cret-" + "of-the-database"

HOLDER = """
import asyncio, json, os, sys
from pathlib import Path
from lexiclass_worker.config import load_settings
from lexiclass_worker.sandbox import Sandbox, starting
from tests.support.attacks import AttackJob

async def main():
    settings = load_settings()
    sandbox = Sandbox.from_settings(settings, tasks=1)
    # Backwards, as the job itself goes to the child.
    password = settings.database_uri.get_secret_value().split(":")[2].split("@")[0][::-1]
    held = open("/etc/passwd")
    os.set_inheritable(held.fileno(), True)
    attacks = (
        ("environment", None), ("command_line", None), ("descriptors", None),
        ("memory_holds", password), ("limits", None),
    )
    found = await sandbox.run(AttackJob(attacks=attacks))
    server = Path(f"/proc/{starting.FORK_SERVER._process.pid}/environ").read_bytes()
    found["server"] = server.decode().split("\\0")
    print(json.dumps(found))

asyncio.run(main())
"""


@pytest.mark.slow
def test_nothing_of_a_secret_is_in_a_child(tmp_path: Path) -> None:
    import json

    done = subprocess.run(
        [sys.executable, "-c", HOLDER],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "DATABASE_URI": f"postgresql://u:{PASSWORD}@127.0.0.1:1/x",
            "DRAMATIQ__BROKER_URL": f"redis://:{PASSWORD}@127.0.0.1:1/0",
            "SOME_TOKEN": PASSWORD,
            "HF_TOKEN": PASSWORD,
            "AWS_SECRET_ACCESS_KEY": PASSWORD,
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)

    assert PASSWORD not in json.dumps(found)
    variables = {entry.partition("=")[0] for entry in found["0 environment"][1]}
    assert variables & {"DATABASE_URI", "SOME_TOKEN", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY"} == set()
    assert found["3 memory_holds"] == ["done", False]
    assert found["4 limits"] == ["done", [1, 1]]
    opened = found["2 descriptors"][1].values()
    assert not any("passwd" in place for place in opened)
    # The channel to its worker, and nothing else that leads anywhere.
    assert sum(place.startswith("socket:") for place in opened) == 1


async def test_a_child_that_crashes_leaves_no_core(sandbox: Sandbox, tmp_path: Path) -> None:
    access = Access(writes=(str(tmp_path),), num_processes=2)
    found = await tried(sandbox, ("dump_core", str(tmp_path)), access=access)
    assert found["0 dump_core"] == ["done", ["core: False"]]


async def test_nothing_is_left_of_its_temporary_files(sandbox: Sandbox) -> None:
    job = AttackJob(attacks=(("work_with_temporary_files", None), ("environment", None)))
    found = await sandbox.run(job)

    (home,) = {entry for entry in found["1 environment"][1] if entry.startswith("HOME=")}
    folder = Path(home.removeprefix("HOME="))
    assert folder.name.startswith("lexi-")
    assert wait_gone(found["pid"])
    deadline = time.monotonic() + 60
    while folder.exists() and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert not folder.exists()


# What is said of it, and what turns it off


async def test_work_goes_on_in_threads_inside(sandbox: Sandbox) -> None:
    assert await tried(sandbox, ("work_in_threads", 20)) == {"0 work_in_threads": ["done", 20]}


async def test_containment_can_be_turned_off(tmp_path: Path) -> None:
    settings = SandboxSettings(containment="off")
    sandbox = Sandbox(settings)

    found = await tried(sandbox, ("read", "/etc/passwd"), ("write", str(tmp_path / "file")))

    assert outcomes(found) == {"done"}
    assert "off" in preflight.require_containment(settings)
    assert "off" in preflight.gaps_of_containment(settings)


def test_what_is_in_force_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    required = Settings(sandbox=SandboxSettings(containment="required"))
    assert "Landlock ABI" in preflight.require_containment(required.sandbox)

    monkeypatch.setattr(preflight, "protection", lambda: _NOTHING)
    with pytest.raises(ConfigurationError, match=r"SANDBOX__CONTAINMENT is required.*Landlock"):
        preflight.require_all(required)
    automatic = SandboxSettings()
    assert "Landlock" not in preflight.require_containment(automatic)
    assert "seccomp" in preflight.gaps_of_containment(automatic)


_NOTHING = type(protection())(landlock_abi=0, filters_calls=False)
