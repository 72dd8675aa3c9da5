"""Folders of an object store, kept by the workers of a machine."""

import fcntl
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from lexiclass_worker.artifacts.copies import IN_THE_MAKING, CopyTooLarge, locked, remove_old
from lexiclass_worker.artifacts.foreign_folders import remove_folder
from lexiclass_worker.artifacts.kept_copies import KeptCopies
from lexiclass_worker.errors import ModelCorrupt, StorageUnavailable
from lexiclass_worker.setting_groups import StorageSettings
from tests.support.disks import make_deep
from tests.support.workers import wait_until

SIZE = 100


def copies(tmp_path: Path, *, limit_bytes: int = 1_000) -> KeptCopies:
    return KeptCopies(StorageSettings(cache_directory=tmp_path / "cache", cache_bytes=limit_bytes))


class Store:
    """Something to fetch from, which counts."""

    def __init__(self) -> None:
        self.fetched = 0

    def fetch(self, folder: Path) -> None:
        self.fetched += 1
        (folder / "deep").mkdir()
        (folder / "deep" / "file").write_bytes(b"x" * SIZE)


def use(kept: KeptCopies, store: Store, key: bytes = b"a") -> Path:
    with kept.using("model", key, SIZE, store.fetch) as folder:
        assert (folder / "deep" / "file").stat().st_size == SIZE
        return folder


def test_what_was_fetched_is_there_the_next_time(tmp_path: Path) -> None:
    store = Store()
    first = use(copies(tmp_path), store)
    assert use(copies(tmp_path), store) == first
    assert store.fetched == 1


def test_another_content_is_another_copy(tmp_path: Path) -> None:
    store = Store()
    assert use(copies(tmp_path), store, b"a") != use(copies(tmp_path), store, b"b")
    assert store.fetched == 2


def test_an_error_of_the_work_itself_costs_no_copy(tmp_path: Path) -> None:
    store = Store()
    with (
        pytest.raises(ZeroDivisionError),
        copies(tmp_path).using("model", b"a", SIZE, store.fetch),
    ):
        raise ZeroDivisionError
    use(copies(tmp_path), store)
    assert store.fetched == 1


def test_a_damaged_copy_is_given_up_whoever_uses_it(tmp_path: Path) -> None:
    store, kept = Store(), copies(tmp_path)
    with (
        kept.using("model", b"a", SIZE, store.fetch),
        pytest.raises(StorageUnavailable, match="given up, for it was damaged: changed"),
        kept.using("model", b"a", SIZE, store.fetch),
    ):
        raise ModelCorrupt("changed")
    use(kept, store)
    assert store.fetched == 2
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 1


def test_what_is_damaged_in_the_store_says_so(tmp_path: Path) -> None:
    store, kept = Store(), copies(tmp_path)
    for _ in range(2):
        with (
            pytest.raises(ModelCorrupt, match="changed"),
            kept.using("model", b"a", SIZE, store.fetch),
        ):
            raise ModelCorrupt("changed")
    assert store.fetched == 2


def test_half_of_a_folder_is_no_copy(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        raise ConnectionError

    store, kept = Store(), copies(tmp_path)
    with pytest.raises(ConnectionError), kept.using("model", b"a", SIZE, fail):
        pytest.fail("there is nothing to use")
    assert [path for path in (tmp_path / "cache").iterdir() if path.is_dir()] == []
    assert not (use(kept, store) / "half").exists()


def fetch_and_hang(tmp_path: Path) -> None:
    def hang(folder: Path) -> None:
        (folder / "half").write_bytes(b"x")
        (tmp_path / "hangs").touch()
        time.sleep(60)

    with copies(tmp_path).using("model", b"a", SIZE, hang):
        pass


def test_a_process_that_is_killed_while_it_fetches_holds_nobody_up(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=fetch_and_hang, args=(tmp_path,))
    process.start()
    while not (tmp_path / "hangs").exists():
        time.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (use(copies(tmp_path), Store()) / "half").exists()


def in_threads(number: int, function: Callable[[], object]) -> None:
    threads = [threading.Thread(target=function) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_those_who_come_at_once_fetch_it_once(tmp_path: Path) -> None:
    store, kept, begin, used = Store(), copies(tmp_path), threading.Barrier(8), []

    def slowly(folder: Path) -> None:
        time.sleep(0.05)
        store.fetch(folder)

    def work() -> None:
        begin.wait()
        with kept.using("model", b"a", SIZE, slowly) as folder:
            used.append((folder / "deep" / "file").read_bytes())

    in_threads(8, work)
    assert (store.fetched, len(used)) == (1, 8)


def test_the_copies_unused_for_longest_make_room_but_none_that_is_used(tmp_path: Path) -> None:
    store, kept = Store(), copies(tmp_path, limit_bytes=3 * SIZE)
    with kept.using("model", b"used", SIZE, store.fetch) as held:
        first, second = use(kept, store, b"first"), use(kept, store, b"second")
        for age, folder in enumerate((second, first, held)):
            os.utime(folder.with_name(f"{folder.name}.lock"), (age, age))
        third = use(kept, store, b"third")
        assert (held.exists(), first.exists(), second.exists()) == (True, True, False)
    assert third.exists()


def test_what_is_larger_than_all_copies_is_not_fetched(tmp_path: Path) -> None:
    store = Store()
    with (
        pytest.raises(CopyTooLarge, match="STORAGE__CACHE_BYTES allows 99"),
        copies(tmp_path, limit_bytes=99).using("model", b"a", SIZE, store.fetch),
    ):
        pytest.fail("there is nothing to use")
    assert store.fetched == 0


def come_and_go(cache: Path) -> None:
    folder, making = cache / "other", cache / f"another{IN_THE_MAKING}"
    while True:
        with suppress(FileNotFoundError):  # removed to make room
            (folder / "deep").mkdir(parents=True)
        (making / "deep").mkdir(parents=True)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(making)


@pytest.mark.slow
def test_copies_that_come_and_go_meanwhile_disturb_nobody(tmp_path: Path) -> None:
    store, kept = Store(), copies(tmp_path)
    use(kept, store)
    process = multiprocessing.get_context("fork").Process(
        target=come_and_go, args=(tmp_path / "cache",)
    )
    process.start()
    try:
        for number in range(80):
            use(kept, store, str(number).encode())
    finally:
        process.kill()
        process.join()


def test_what_killed_processes_have_left_goes_after_a_day_unless_it_is_gone_on_with(
    tmp_path: Path,
) -> None:
    store, kept = Store(), copies(tmp_path)
    copy = use(kept, store)
    left = copy.with_name(f"left{IN_THE_MAKING}")
    busy = copy.with_name(f"busy{IN_THE_MAKING}")
    for folder in (left, busy):
        folder.mkdir()
        os.utime(folder, (0, 0))
    with locked(copy.with_name("busy")):
        use(kept, store, b"another")
    assert (left.exists(), busy.exists()) == (False, True)
    use(kept, store, b"a third")
    assert not busy.exists()


def test_a_disk_smaller_than_what_is_allowed_is_not_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_usage(_path: Path) -> SimpleNamespace:
        held = sum(path.stat().st_size for path in tmp_path.rglob("file"))
        return SimpleNamespace(free=2 * SIZE + SIZE // 2 - held)

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    store, kept = Store(), copies(tmp_path, limit_bytes=10**9)
    for number in range(5):
        use(kept, store, str(number).encode())
    assert len([path for path in (tmp_path / "cache").iterdir() if path.is_dir()]) == 2


def test_a_copy_that_nobody_has_used_for_long_goes(tmp_path: Path) -> None:
    kept, store = copies(tmp_path), Store()
    old, used, new = (use(kept, store, key) for key in (b"a", b"b", b"c"))
    for copy in (old, used):
        os.utime(copy.with_name(copy.name + ".lock"), (1, 1))
    cache = old.parent

    with locked(used, fcntl.LOCK_SH):
        os.utime(used.with_name(used.name + ".lock"), (1, 1))
        assert remove_old(cache, older_than_s=60) == [old]

    assert not old.exists()
    assert used.is_dir()
    assert new.is_dir()
    assert remove_old(tmp_path / "nowhere", older_than_s=60) == []


@pytest.fixture
def left(tmp_path: Path) -> Iterator[Path]:
    """The folder of a project's copies, which pytest cannot remove however deep it is."""
    project = tmp_path / "cache" / "7"
    yield project
    remove_folder(project)


def leave_folders_without_end(project: Path) -> None:
    make_deep(project / "evil", levels=1200)
    make_deep(project / f"evil{IN_THE_MAKING}", levels=1200)


def leave_a_folder_for_a_lock(project: Path) -> None:
    (project / "evil").mkdir(parents=True)
    (project / "evil.lock" / "x").mkdir(parents=True)
    (project / "evil.lock.lock").touch()
    os.utime(project / "evil.lock", (1, 1))


def leave_a_copy_of_the_future(project: Path) -> None:
    (project / "evil").mkdir(parents=True)
    with (project / "evil" / "file").open("wb") as file:
        file.truncate(10**6)
    (project / "evil.lock").touch()
    os.utime(project / "evil.lock", (2**33, 2**33))


def leave_what_is_no_copy(project: Path) -> None:
    project.mkdir(parents=True)
    with (project / "evil").open("wb") as file:
        file.truncate(10**6)
    (project / "link").symlink_to(project)
    os.mkfifo(project / "fifo")


@pytest.mark.slow
@pytest.mark.parametrize(
    "leave",
    [
        leave_folders_without_end,
        leave_a_folder_for_a_lock,
        leave_a_copy_of_the_future,
        leave_what_is_no_copy,
    ],
)
def test_nothing_that_a_child_leaves_among_its_projects_copies_costs_others_theirs(
    tmp_path: Path, left: Path, leave: Callable[[Path], None]
) -> None:
    """The child of an indexing writes in the folder of its project."""
    kept, store = copies(tmp_path, limit_bytes=3 * SIZE), Store()
    first = use(kept, store, b"first")
    leave(left)

    for key in (b"second", b"third"):
        use(kept, store, key)
    assert first.is_dir()
    use(kept, store, b"fourth")
    assert not first.exists()

    time.sleep(0.01)
    remove_old(tmp_path / "cache", older_than_s=0)
    assert [path for path in left.iterdir() if path.is_symlink() or not path.is_dir()] == []
    folders = {path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()}
    assert folders <= {"7", "7.locks"}


def test_no_lock_lies_where_a_child_of_the_project_could_hold_it(tmp_path: Path) -> None:
    """Its worker's threads, which are those of all tasks, would wait for it."""
    cache = tmp_path / "cache"
    with copies(tmp_path).using("7/model", b"a", SIZE, Store().fetch) as copy:
        assert copy.parent == cache / "7"
        assert list(copy.parent.glob("*.lock")) == []
        assert [path.parent.name for path in cache.rglob("*.lock")] == ["7.locks"]
        assert remove_old(cache, older_than_s=-60) == []
    assert remove_old(cache, older_than_s=-60) == [copy]


def test_a_lock_that_was_removed_while_somebody_waited_for_it_is_taken_anew(
    tmp_path: Path,
) -> None:
    """As cleaners of temporary files remove it; the folder goes with it."""
    copy = tmp_path / "cache" / "copy"
    waited: list[str] = []

    def wait() -> None:
        with locked(copy):
            waited.append("has it")

    with locked(copy):
        waiting = threading.Thread(target=wait)
        waiting.start()
        wait_until(lambda: _has_open(copy.with_name("copy.lock"), times=2))
        shutil.rmtree(copy.parent)
    waiting.join(60)

    assert waited == ["has it"]
    assert copy.with_name("copy.lock").exists()


def _has_open(path: Path, *, times: int) -> bool:
    opened = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    return opened.count(str(path)) >= times
