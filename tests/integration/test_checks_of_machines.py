"""What the checks say of storages, disks and memory that lack something."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import fsspec
import pytest

from lexiclass_worker.admin.doctor.memory import check_memory
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.disks import check_cache
from lexiclass_worker.telemetry.checks.files import check_storage
from lexiclass_worker.telemetry.checks.outcome import State
from tests.support.checks import failed, passed, warned
from tests.support.disks import leave_free, mounted_disk
from tests.support.object_store import ObjectStore
from tests.support.own_mounts import in_own_mounts, require_own_mounts
from tests.support.s3_proxy import Proxy, Refusal, Request, Rule, running_proxy

DENIED = Refusal(403, "AccessDenied", "Access Denied")
Behind = Callable[[Rule], AbstractContextManager[Proxy]]


def stored_in(path: Path | str) -> Settings:
    return Settings(storage={"base_path": str(path)})


def test_a_storage_that_is_read_only_or_full_is_down(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk", size="2m") as disk:
        storage = disk / "storage"
        assert "MiB are free" in warned(check_storage(stored_in(storage)))
        leave_free(disk, 2**12)
        full = check_storage(stored_in(storage))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        read_only = check_storage(stored_in(storage))

    assert "No space left on device" in failed(full)
    assert "make room" in full.remedy
    assert "Read-only file system" in failed(read_only)
    assert f"mount {disk} for writing" in read_only.remedy


def test_a_disk_on_which_few_files_can_be_made_is_warned_of(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk", size="1g,nr_inodes=50") as disk:
        check = check_storage(stored_in(disk))

    assert "(inodes)" in warned(check)
    assert "df -i" in check.remedy


def test_a_folder_where_nothing_can_be_renamed_is_down(tmp_path: Path) -> None:
    folder = tmp_path / "append only"
    folder.mkdir()
    if subprocess.run(["chattr", "+a", folder], capture_output=True, check=False).returncode != 0:
        pytest.skip("this account or this file system has no append-only folders")
    try:
        check = check_storage(stored_in(folder))
    finally:
        subprocess.run(["chattr", "-a", folder], check=True)

    assert "Operation not permitted" in failed(check)
    assert "rename" in check.remedy


def refuses(right: str) -> Rule:
    """A store in which one right lacks."""

    def rule(request: Request) -> Refusal | None:
        is_object = ".lexiclass-check-" in request.path
        methods = {"s3:GetObject": "GET", "s3:PutObject": "PUT", "s3:DeleteObject": "DELETE"}
        if right == "s3:ListBucket":
            lists = request.method == "GET" and ".lexiclass-check-" in str(request.query)
            return DENIED if lists else None
        if right == "s3:DeleteObject" and request.is_bulk_delete:
            return DENIED
        return DENIED if is_object and request.method == methods[right] else None

    return rule


@pytest.mark.slow_variants
@pytest.mark.parametrize(
    "right", ["s3:PutObject", "s3:GetObject", "s3:ListBucket", "s3:DeleteObject"]
)
def test_the_right_that_lacks_in_an_object_store_is_named(
    object_store: ObjectStore,
    object_store_port: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    right: str,
) -> None:
    with running_proxy(object_store_port, refuses(right)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", proxy.url)
        # fsspec keeps clients for the same settings.
        fsspec.filesystem("s3").clear_instance_cache()
        try:
            check = check_storage(stored_in(f"{object_store.url}/{tmp_path.name}"))
        finally:
            fsspec.filesystem("s3").clear_instance_cache()

    assert f"give the key {right} below the prefix" in failed(check)
    assert "AccessDenied" in check.found


def test_a_cache_in_memory_or_larger_than_its_disk_is_warned_of(tmp_path: Path) -> None:
    with mounted_disk(tmp_path / "disk", size="300m") as disk:
        storage = {"base_path": "s3://bucket/prefix", "cache_directory": disk / "cache"}
        check = check_cache(Settings(storage=storage))
        small = check_cache(Settings(storage={**storage, "cache_bytes": 1}))

    assert "lies in memory" in warned(check)
    assert "set STORAGE__CACHE_BYTES below" in check.remedy
    assert "STORAGE__CACHE_BYTES" not in warned(small)


def test_a_cache_that_cannot_be_made_is_down_and_a_directory_needs_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    storage = {"base_path": "s3://bucket/prefix", "cache_directory": tmp_path / "file" / "cache"}

    check = check_cache(Settings(storage=storage))

    assert "STORAGE__CACHE_DIRECTORY" in failed(check)
    assert check_cache(stored_in(tmp_path)).state is State.SKIPPED


LOOK = """
import resource
from lexiclass_worker.config import Settings
from {module} import {name}
{before}
check = {name}(Settings())
print(check.state, check.told)
"""


def look(
    name: str,
    *,
    before: str = "",
    module: str = "lexiclass_worker.telemetry.checks",
    mounts: str = "true",
) -> str:
    """What a check says in a process of its own."""
    script = LOOK.format(name=name, before=before, module=module)
    command = in_own_mounts(mounts, sys.executable, "-c", script)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_shared_memory_that_is_too_small_is_down() -> None:
    require_own_mounts()

    found = look("check_shared_memory", mounts="mount -t tmpfs -o size=64k tmpfs /dev/shm")

    assert found.startswith("fail /dev/shm is full")
    assert "medium: Memory" in found


@pytest.mark.slow
def test_temporary_files_without_a_folder_or_room_are_down() -> None:
    require_own_mounts()

    found = look(
        "check_temporary_files",
        before="import tempfile; tempfile.tempdir = '/mnt'",
        mounts="mount -t tmpfs -o size=400k tmpfs /mnt",
    )

    assert found.startswith("fail")
    assert "set TMPDIR" in found or "make room" in found


@pytest.mark.slow
def test_limits_under_which_libraries_crash_are_warned_of() -> None:
    found = look(
        "check_memory",
        before="resource.setrlimit(resource.RLIMIT_DATA, (2**31, 2**31))",
        module="lexiclass_worker.admin.doctor.memory",
    )

    assert found.startswith("warn RLIMIT_DATA is 2,048 MiB")
    assert "ulimit -d unlimited" in found


@pytest.mark.parametrize("limit", [2**60, 0])
def test_a_limit_of_memory_that_bounds_nothing_is_warned_of(limit: int) -> None:
    check = check_memory(Settings(limits={"memory_bytes": limit}))

    assert "LIMITS__MEMORY_BYTES" in warned(check)
    assert "of which a task may take" in passed(check_memory(Settings()))
