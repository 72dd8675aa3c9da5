"""One contract for every storage: a directory, an object store over files, one in memory."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import fsspec
import pytest

from lexiclass_worker.artifacts.kept_copies import KeptCopies
from lexiclass_worker.artifacts.local import LocalStorage
from lexiclass_worker.artifacts.object_store import ObjectStorage
from lexiclass_worker.artifacts.opening import open_storage
from lexiclass_worker.artifacts.storage import Staged, Storage
from lexiclass_worker.artifacts.stored_objects import StoredObjects
from lexiclass_worker.config import ConfigurationError
from lexiclass_worker.errors import StorageUnavailable
from lexiclass_worker.setting_groups import StorageSettings

P = PurePosixPath


@pytest.fixture(params=["local", "object-file", "object-memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    match request.param:
        case "local":
            yield LocalStorage(tmp_path / "storage")
        case "object-file":
            yield ObjectStorage(f"file://{tmp_path}/storage")
        case _:
            name = uuid.uuid4().hex
            yield ObjectStorage(f"memory://{name}")
            memory = fsspec.filesystem("memory")
            if memory.exists(f"/{name}"):
                memory.rm(f"/{name}", recursive=True)


def fill(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_json", ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def content(storage: Storage, directory: str) -> dict[str, str]:
    """Name and text of every file below a stored folder."""
    with storage.reading(P(directory)) as folder:
        return {
            path.relative_to(folder).as_posix(): path.read_text()
            for path in folder.rglob("*")
            if path.is_file()
        }


def published(storage: Storage, source: Path, target: PurePosixPath) -> None:
    staged = storage.stage(source, target)
    try:
        staged.publish()
    finally:
        staged.close()


def publish(storage: Storage, target: str, **files: str) -> None:
    with storage.scratch() as scratch:
        published(storage, fill(scratch / "made", **files), P(target))


def test_texts_are_written_as_utf_8(storage: Storage) -> None:
    texts = {P(f"7/documents/{number}.txt"): f"naïve {number}\r\n" for number in range(600)}

    storage.write_texts(texts.items())

    with storage.reading(P("7/documents")) as folder:
        for path, text in texts.items():
            assert (folder / path.name).read_bytes() == text.encode()


def test_a_folder_is_there_once_something_is_in_it(storage: Storage) -> None:
    assert not storage.is_directory(P("7/documents"))
    storage.write_texts([(P("7/documents/1.txt"), "x")])

    assert storage.is_directory(P("7/documents"))
    assert storage.is_directory(P("7"))
    assert not storage.is_directory(P("7/documents/1.txt"))
    assert not storage.is_directory(P("7/" + "x" * 300))


def test_reading_what_is_not_there_is_an_error(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError, match="no folder"), storage.reading(P("7/nowhere")):
        pass


def test_a_published_folder_is_read_back(storage: Storage) -> None:
    publish(storage, "7/models/1/v1", manifest_json="{}", sub__weights="w")

    assert content(storage, "7/models/1/v1") == {"manifest.json": "{}", "sub/weights": "w"}


def test_publishing_again_replaces_every_file(storage: Storage) -> None:
    publish(storage, "7/m", manifest_json="1", old="old", same="1")

    publish(storage, "7/m", manifest_json="2", new="new", same="2")

    assert content(storage, "7/m") == {"manifest.json": "2", "new": "new", "same": "2"}


def test_publishing_what_is_not_there_keeps_what_was(storage: Storage, tmp_path: Path) -> None:
    publish(storage, "7/m", manifest_json="1", data="1")

    if isinstance(storage, LocalStorage):
        with pytest.raises(FileNotFoundError):
            published(storage, tmp_path / "nowhere", P("7/m"))
        assert content(storage, "7/m") == {"manifest.json": "1", "data": "1"}
    with pytest.raises(FileNotFoundError):
        published(storage, tmp_path / "nowhere", P("7/m/data"))
    assert content(storage, "7/m") == {"manifest.json": "1", "data": "1"}


def test_a_published_file_replaces_the_old_one(storage: Storage, tmp_path: Path) -> None:
    for text in ("one", "two"):
        with storage.scratch() as scratch:
            made = scratch / "history"
            made.write_text(text)
            published(storage, made, P("7/predictions/m.jsonl"))

        assert content(storage, "7/predictions") == {"m.jsonl": text}


def test_the_sizes_of_files_are_told_by_name(storage: Storage) -> None:
    assert storage.file_sizes(P("1/models/2/v3")) == {}

    publish(storage, "1/models/2/v3", manifest_json="four", classifier__planes="")

    assert storage.file_sizes(P("1/models/2/v3")) == {"manifest.json": 4, "classifier/planes": 0}


def test_what_is_staged_is_read_back_from_the_storage(storage: Storage, tmp_path: Path) -> None:
    source = fill(tmp_path / "source", manifest_json="{}", classifier__planes="x")
    staged = storage.stage(source, P("1/models/2/v3"))
    with staged.reading() as folder:
        names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        assert names == {"manifest.json", "classifier/planes"}
        assert (folder / "classifier" / "planes").read_text() == "x"
    staged.close()
    assert not storage.is_directory(P("1/models/2/v3"))


@pytest.mark.slow
def test_two_that_remove_one_folder_both_succeed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    for _ in range(5):
        fill(tmp_path / "1", **{f"d{number}__f": "" for number in range(300)})
        with ThreadPoolExecutor(2) as pool:
            for removal in [pool.submit(storage.remove, P("1")) for _ in range(2)]:
                removal.result()
        assert not (tmp_path / "1").exists()


def test_scratch_is_gone_afterwards(storage: Storage) -> None:
    with storage.scratch() as scratch:
        fill(scratch / "a", b="c")

    assert not scratch.exists()


def test_removing_takes_all_below_and_is_fine_twice(storage: Storage) -> None:
    storage.write_texts([(P("7/documents/1.txt"), "x"), (P("8/documents/1.txt"), "y")])

    for _ in range(2):
        storage.remove(P("7"))
    storage.remove(P("8/documents/1.txt"))

    assert not storage.is_directory(P("7"))
    with pytest.raises(FileNotFoundError), storage.reading(P("7/documents")):
        pass


def test_a_location_is_absolute_and_below_the_root(storage: Storage) -> None:
    assert storage.locate(P("7/documents")) == f"{storage.root}/7/documents"
    assert storage.root.startswith(("/", "file://", "memory://"))
    assert not storage.root.endswith("/")


def test_a_path_inside_stays_inside(storage: Storage) -> None:
    assert storage.resolve(P("7/documents"), P("7")) == P("7/documents")
    assert storage.resolve(P("7"), P("7")) == P("7")
    assert storage.resolve(P("8/documents"), P("7")) is None
    assert storage.resolve(P("77"), P("7")) is None


def test_a_link_out_does_not_stay_inside(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    fill(tmp_path / "7" / "documents", a="a")
    fill(tmp_path / "8")
    (tmp_path / "7" / "out").symlink_to(tmp_path / "8")
    (tmp_path / "7" / "in").symlink_to(tmp_path / "7" / "documents")

    assert storage.resolve(P("7/out"), P("7")) is None
    assert storage.resolve(P("7/out/deeper"), P("7")) is None
    assert storage.resolve(P("7/in"), P("7")) == P("7/documents")


def test_removing_a_link_leaves_what_it_points_to(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    fill(tmp_path / "8", a="a")
    (tmp_path / "7").symlink_to(tmp_path / "8")

    storage.remove(P("7"))

    assert (tmp_path / "8" / "a").read_text() == "a"


def test_work_in_progress_is_on_the_same_file_system(tmp_path: Path) -> None:
    with LocalStorage(tmp_path).scratch() as scratch:
        assert scratch.stat().st_dev == tmp_path.stat().st_dev
        assert scratch.is_relative_to(tmp_path)


def test_a_file_where_a_folder_should_be_is_an_error_of_the_storage(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    (tmp_path / "7").write_text("in the way")

    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        storage.write_texts([(P("7/documents/1.txt"), "x")])
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        publish(storage, "7/models/1/v1", manifest_json="{}")


class Recording:
    """A file system in memory that notes the order of writes, and fails at one if told to."""

    def __init__(self, storage: ObjectStorage, *, fails_at: str = "") -> None:
        self.inner, self.fails_at = storage.fs, fails_at
        self.steps: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def put_file(self, source: str, target: str) -> None:
        self._note("put", target)
        self.inner.put_file(source, target)

    def cp_file(self, source: str, target: str) -> None:
        self._note("copy", target)
        self.inner.cp_file(source, target)

    def rm_file(self, target: str) -> None:
        self._note("remove", target)
        self.inner.rm_file(target)

    def _note(self, step: str, target: str) -> None:
        name = target.rpartition("/")[2]
        if name == self.fails_at:
            raise OSError(5, "the store fails here")
        self.steps.append(f"{step} {name}")


@pytest.fixture
def memory() -> ObjectStorage:
    return ObjectStorage(f"memory://{uuid.uuid4().hex}")


def test_in_an_object_store_the_manifest_comes_last_and_what_is_old_goes_after(
    memory: ObjectStorage,
) -> None:
    publish(memory, "7/m", manifest_json="1", a="1", x="1")
    memory.fs = recording = Recording(memory)

    publish(memory, "7/m", manifest_json="2", a="2", z="2")

    assert recording.steps == [
        "put a", "put z", "put manifest.json",
        "copy a", "copy z", "copy manifest.json", "remove x",
    ]  # fmt: skip


def test_an_upload_that_fails_leaves_what_was_published(memory: ObjectStorage) -> None:
    publish(memory, "7/m", manifest_json="1", a="1", b="1")
    memory.fs = Recording(memory, fails_at="b")

    with pytest.raises(OSError, match="fails here"):
        publish(memory, "7/m", manifest_json="2", a="2", b="2")

    memory.fs = memory.fs.inner
    assert content(memory, "7/m") == {"manifest.json": "1", "a": "1", "b": "1"}
    assert not memory.remove_abandoned(older_than_s=-60)


def test_a_publication_that_fails_leaves_no_new_manifest_beside_mixed_files(
    memory: ObjectStorage, tmp_path: Path
) -> None:
    publish(memory, "7/m", manifest_json="1", a="1", b="1")
    staged = memory.stage(fill(tmp_path / "made", manifest_json="2", a="2", b="2"), P("7/m"))
    memory.fs = Recording(memory, fails_at="b")

    with pytest.raises(OSError, match="fails here"):
        staged.publish()

    memory.fs = memory.fs.inner
    # The old one says by its checksums that they are mixed, and no row names it any more.
    assert content(memory, "7/m") == {"manifest.json": "1", "a": "2", "b": "1"}


def test_what_is_staged_shows_nowhere_until_it_is_published(
    storage: Storage, tmp_path: Path
) -> None:
    staged = storage.stage(fill(tmp_path / "made", manifest_json="1", a="1"), P("7/m"))
    assert not storage.is_directory(P("7"))

    staged.publish()
    staged.close()

    assert content(storage, "7/m") == {"manifest.json": "1", "a": "1"}
    assert not storage.remove_abandoned(older_than_s=-60)


@pytest.mark.parametrize("before", [None, "old"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_is_withdrawn_leaves_what_was_there_before(
    tmp_path: Path, kind: str, before: str | None
) -> None:
    storage = LocalStorage(tmp_path / "storage")
    target = P("7/m") if kind == "folder" else P("7/m/data")
    if before is not None:
        publish(storage, "7/m", data=before)
    made = fill(tmp_path / "made", data="new")
    staged = storage.stage(made if kind == "folder" else made / "data", target)

    staged.publish()
    assert content(storage, "7/m") == {"data": "new"}
    staged.withdraw()
    staged.withdraw()
    staged.close()

    if before is None:
        assert not storage.is_directory(P("7/m")) or content(storage, "7/m") == {}
    else:
        assert content(storage, "7/m") == {"data": before}
    assert list(tmp_path.rglob(".replaced-*")) == []


def stage(storage: LocalStorage, kind: str, text: str, scratch: Path) -> Staged:
    """A file or a folder with a text, ready for its place."""
    made = fill(scratch / uuid.uuid4().hex, data=text)
    if kind == "folder":
        return storage.stage(made, P("7/m"))
    return storage.stage(made / "data", P("7/m/data"))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_another_has_published_since_is_not_withdrawn(tmp_path: Path, kind: str) -> None:
    storage = LocalStorage(tmp_path / "storage")
    publish(storage, "7/m", data="before")
    stalled = stage(storage, kind, "stalled", tmp_path)
    stalled.publish()
    # Others take the task over. What they replaced is gone, and its inode free to be theirs.
    for _ in range(3):
        winner = stage(storage, kind, "winner", tmp_path)
        winner.publish()
        winner.close()

    stalled.withdraw()
    stalled.close()

    assert content(storage, "7/m") == {"data": "winner"}
    assert list((tmp_path / "storage" / ".scratch").iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_another_publishes_at_that_very_moment_is_not_withdrawn(
    tmp_path: Path, kind: str
) -> None:
    storage = LocalStorage(tmp_path / "storage")
    with ThreadPoolExecutor(2) as pool:
        for _ in range(200):
            stalled = stage(storage, kind, "stalled", tmp_path)
            winner = stage(storage, kind, "winner", tmp_path)
            stalled.publish()
            for step in [pool.submit(winner.publish), pool.submit(stalled.withdraw)]:
                step.result()
            stalled.close()
            winner.close()
            assert content(storage, "7/m") == {"data": "winner"}
            storage.remove(P("7/m"))


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_has_gone_from_its_place_is_withdrawn_without_an_error(
    tmp_path: Path, kind: str
) -> None:
    storage = LocalStorage(tmp_path / "storage")
    publish(storage, "7/m", data="before")
    stalled = stage(storage, kind, "stalled", tmp_path)
    stalled.publish()
    storage.remove(P("7/m"))

    stalled.withdraw()
    publish(storage, "7/m", data="winner")
    stalled.withdraw()
    stalled.close()

    assert content(storage, "7/m") == {"data": "winner"}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_one_that_wakes_up_before_it_publishes_gives_the_others_work_back(
    tmp_path: Path, kind: str
) -> None:
    storage = LocalStorage(tmp_path / "storage")
    stalled = stage(storage, kind, "stalled", tmp_path)
    publish(storage, "7/m", data="winner")
    place = tmp_path / "storage" / "7" / ("m" if kind == "folder" else "m/data")
    theirs = place.stat()

    stalled.publish()
    stalled.withdraw()
    stalled.close()

    assert content(storage, "7/m") == {"data": "winner"}
    # The very same: whoever published it still knows it for its own.
    assert os.path.samestat(place.stat(), theirs)


def test_only_work_in_progress_that_was_left_alone_is_removed(
    storage: Storage, tmp_path: Path
) -> None:
    made = fill(tmp_path / "made", manifest_json="1")
    publish(storage, "7/m", manifest_json="1")
    storage.stage(made, P("7/n"))
    if isinstance(storage, LocalStorage):
        fill(Path(storage.root) / ".scratch" / "left", a="a")

    assert storage.remove_abandoned(older_than_s=60) == []
    found = storage.remove_abandoned(older_than_s=-60, is_dry_run=True)
    assert found
    assert storage.remove_abandoned(older_than_s=-60) == found
    assert storage.remove_abandoned(older_than_s=-60) == []
    assert content(storage, "7/m") == {"manifest.json": "1"}


def test_what_its_owner_removes_meanwhile_hinders_no_tidying(
    memory: ObjectStorage, tmp_path: Path
) -> None:
    made = fill(tmp_path / "made", manifest_json="1")
    memory.stage(made, P("7/n"))
    removed = memory.stage(made, P("7/o"))

    class Later(Recording):
        def modified(self, target: str) -> object:
            removed.close()  # once, between the listing and the look
            return self.inner.modified(target)

    memory.fs = Later(memory)
    assert len(memory.remove_abandoned(older_than_s=-60)) == 1
    assert memory.remove_abandoned(older_than_s=-60) == []


@pytest.mark.slow
def test_scratch_that_is_used_stays_however_long_nothing_is_written_there(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    with storage.scratch() as used:
        for path in (used, *used.iterdir()):
            os.utime(path, (0, 0))
        # Another process, as another worker is.
        find = f"""
from lexiclass_worker.artifacts.local import LocalStorage
print(LocalStorage({str(tmp_path)!r}).remove_abandoned(older_than_s=60))
"""
        found = subprocess.run([sys.executable, "-c", find], capture_output=True, check=True)
        assert found.stdout.strip() == b"[]"
        assert storage.remove_abandoned(older_than_s=60) == []
        assert used.is_dir()


def test_scratch_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    work = f"""
import os, signal
from lexiclass_worker.artifacts.local import LocalStorage
with LocalStorage({str(tmp_path)!r}).scratch() as folder:
    (folder / "half").write_text("a model")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", work], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    storage = LocalStorage(tmp_path)
    (left,) = (tmp_path / ".scratch").iterdir()

    assert storage.remove_abandoned(older_than_s=60) == []
    assert storage.remove_abandoned(older_than_s=-60) == [str(left)]
    assert not left.exists()


@pytest.mark.parametrize(
    ("base_path", "kind", "root"),
    [
        ("/srv/data", LocalStorage, "/srv/data"),
        ("/srv/data/", LocalStorage, "/srv/data"),
        ("file:///srv/data", LocalStorage, "/srv/data"),
        ("memory://bucket/prefix/", ObjectStorage, "memory://bucket/prefix"),
    ],
)
def test_the_base_path_decides_which_storage(base_path: str, kind: type, root: str) -> None:
    storage = open_storage(base_path)

    assert isinstance(storage, kind)
    assert storage.root == root


def test_a_relative_base_path_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert open_storage("./data").root == str(tmp_path / "data")


def test_a_protocol_nobody_knows_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"STORAGE__BASE_PATH.*Protocol not known"):
        open_storage("nosuch://bucket")


@pytest.mark.slow_variants
def test_of_more_texts_than_are_transferred_together_none_is_lost(storage: Storage) -> None:
    texts = [(P(f"7/documents/{number}.txt"), str(number)) for number in range(600)]

    storage.write_texts(iter(texts))

    paths = [path for path, _ in texts]
    assert storage.read_texts(paths) == [text.encode() for _, text in texts]


def test_a_folder_that_is_replaced_while_it_is_copied_is_not_kept_as_what_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = KeptCopies(StorageSettings(cache_directory=tmp_path / "cache"))
    storage = ObjectStorage(f"file://{tmp_path}/storage", kept)
    storage.write_texts([(P("7/models/v1/manifest.json"), "one")])
    download = StoredObjects.download

    def overtaken(self: StoredObjects, directory: P, names: set[str], target: Path) -> None:
        storage.write_texts([(directory / "manifest.json", "two")])
        download(self, directory, names, target)

    monkeypatch.setattr(StoredObjects, "download", overtaken)
    with (
        pytest.raises(StorageUnavailable, match="was replaced while it was copied"),
        storage.reading(P("7/models/v1")),
    ):
        pytest.fail("there is nothing to read")
    with storage.reading(P("7/models/v1")) as folder:
        assert (folder / "manifest.json").read_text() == "two"
