"""Publishing to an object store: attempts that stall, and uploads that are cut off."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import pytest

from lexiclass_worker.artifacts.generations import Checksum
from lexiclass_worker.artifacts.index_copies import IndexCopy
from lexiclass_worker.artifacts.object_store import ObjectStorage
from tests.support.object_store import ObjectStore

MODEL = PurePosixPath("7/models/3/v1")
HISTORY = PurePosixPath("7/predictions/3/v1/message.jsonl")

# Stops itself where it has told the store half of what there is to copy.
STALLING = """
import os, signal, sys
from pathlib import Path, PurePosixPath
from lexiclass_worker.artifacts.object_store import ObjectStorage

url, source, target, last, attempt = sys.argv[1:]
storage = ObjectStorage(url)
staged = storage.stage(Path(source), PurePosixPath(target), int(attempt))
copy = storage.fs.cp_file

def stall(there, here, **options):
    if here.endswith(last):
        os.kill(os.getpid(), signal.SIGSTOP)
    copy(there, here, **options)

storage.fs.cp_file = stall
staged.publish()
"""


@pytest.fixture
def url(object_store: ObjectStore, tmp_path: Path) -> str:
    return f"{object_store.url}/{tmp_path.name}"


def made(folder: Path, text: str) -> Path:
    folder.mkdir()
    for name in ("a.json", "b.json", "manifest.json"):
        (folder / name).write_text(text)
    return folder


def published(url: str, source: Path, target: PurePosixPath, attempt: int) -> None:
    staged = ObjectStorage(url).stage(source, target, attempt)
    staged.publish()
    staged.close()


def contents(url: str, folder: PurePosixPath) -> set[bytes]:
    store = fsspec.filesystem("s3", use_listings_cache=False)
    return {store.cat_file(key) for key in store.find(f"{url}/{folder}")}


@pytest.mark.slow
@pytest.mark.parametrize(
    "last",
    [
        "b.json", "message.jsonl",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("a.json", "manifest.json")),
    ],
)  # fmt: skip
def test_one_that_stalls_in_its_publication_finishes_nothing_over_a_later_attempts(
    url: str, tmp_path: Path, last: str
) -> None:
    loser, winner = (made(tmp_path / name, name) for name in ("loser", "winner"))
    target = MODEL
    if last == HISTORY.name:
        loser, winner, target = loser / "a.json", winner / "a.json", HISTORY
    arguments = [url, str(loser), str(target), last, "1"]
    with subprocess.Popen(
        [sys.executable, "-c", STALLING, *arguments], stderr=subprocess.PIPE
    ) as stalled:
        _, status = os.waitpid(stalled.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

        published(url, winner, target, attempt=2)
        stalled.send_signal(signal.SIGCONT)
        _, errors = stalled.communicate()

    assert stalled.returncode == 1
    assert b"FileNotFoundError" in errors
    assert contents(url, target.parent if last == HISTORY.name else target) == {b"winner"}


def test_one_that_wakes_up_before_it_publishes_takes_nothing_from_a_later_attempt(
    url: str, tmp_path: Path
) -> None:
    early = ObjectStorage(url).stage(made(tmp_path / "loser", "loser"), MODEL, 1)
    late = ObjectStorage(url).stage(made(tmp_path / "winner", "winner"), MODEL, 2)
    late.publish()

    with pytest.raises(FileNotFoundError):
        early.publish()
    early.close()
    late.close()

    assert contents(url, MODEL) == {b"winner"}
    assert ObjectStorage(url).remove_abandoned(older_than_s=-60) == []


def test_an_earlier_attempt_takes_nothing_of_a_later_one_that_is_about_to_publish(
    url: str, tmp_path: Path
) -> None:
    early = ObjectStorage(url).stage(made(tmp_path / "loser", "loser"), MODEL, 1)
    late = ObjectStorage(url).stage(made(tmp_path / "winner", "winner"), MODEL, 2)

    early.publish()
    late.publish()

    assert contents(url, MODEL) == {b"winner"}
    for each in (early, late):
        each.close()


class Meanwhile:
    """A store to which something happens just before the nth request."""

    def __init__(self, store: Any, nth: int, happens: Callable[[], None]) -> None:
        self._store = store
        self._happens = happens
        self.left = nth

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in {"cp_file", "rm_file", "rm", "find", "ls", "isdir"}:
            return found

        def request(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                self._happens()
            return found(*args, **kwargs)

        return request


@pytest.mark.slow
def test_whenever_a_later_attempt_publishes_its_files_are_there_in_the_end(
    url: str, tmp_path: Path
) -> None:
    """Over what an earlier one has published, which had a file more."""
    old, loser, winner = (made(tmp_path / name, name) for name in ("old", "loser", "winner"))
    (old / "more.json").write_text("old")
    for nth in count(1):
        target = PurePosixPath(f"7/models/{nth}/v1")
        published(url, old, target, attempt=0)
        storage = ObjectStorage(url)
        staged = storage.stage(loser, target, 1)
        store = Meanwhile(storage.fs, nth, partial(published, url, winner, target, attempt=2))
        storage.fs = store

        with suppress(FileNotFoundError):
            staged.publish()

        if store.left > 0:
            assert nth > 8
            break
        assert names_of(url, target) == {"a.json", "b.json", "manifest.json"}
        assert contents(url, target) == {b"winner"}


def names_of(url: str, folder: PurePosixPath) -> set[str]:
    store = fsspec.filesystem("s3", use_listings_cache=False)
    return {key.rpartition("/")[2] for key in store.find(f"{url}/{folder}")}


def test_transfers_of_an_index_end_with_whoever_wants_them(url: str, tmp_path: Path) -> None:
    """In the midst of one that is downloaded: it may take minutes."""
    fs = fsspec.filesystem("s3", use_listings_cache=False)
    content = os.urandom(12_000_000)
    files = {"a.safetensors": Checksum(len(content), sha256(content).hexdigest())}
    fs.pipe_file(f"{url}/7/indexes/x/a.safetensors", content)
    asked = count()

    def end() -> None:
        if next(asked) == 2:
            raise ConnectionAbortedError

    folder = fs._strip_protocol(f"{url}/7/indexes/x")
    copy = IndexCopy(fs, folder, f"{url}/7/indexes/x", tmp_path, "7", 10**9, require_wanted=end)
    with copy.lock(), pytest.raises(ConnectionAbortedError):
        copy.fetch(b"{}", files, is_bounded=True)
    assert {path.name for path in copy.directory.iterdir()} == {"index.json"}

    copy.working.mkdir(parents=True)
    names = [f"{number}.safetensors" for number in range(5)]
    for name in names:
        (copy.working / name).write_bytes(b"x")
    asked = count()
    with pytest.raises(ConnectionAbortedError):
        copy.upload(dict.fromkeys(names, Checksum(1, "")))
    assert not fs.exists(f"{url}/7/indexes/x/{names[-1]}")


def test_uploads_that_were_cut_off_are_ended_and_their_parts_removed(
    object_store: ObjectStore, url: str
) -> None:
    store: Any = fsspec.filesystem("s3", use_listings_cache=False)
    bucket, prefix, _ = store.split_path(url)

    def begin(key: str) -> None:
        upload = store.call_s3("create_multipart_upload", Bucket=bucket, Key=key)["UploadId"]
        store.call_s3(
            "upload_part", Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"half"
        )

    def unfinished() -> set[str]:
        return {upload["Key"] for upload in store.list_multipart_uploads(bucket)}

    storage = ObjectStorage(url)
    cut_off, of_others = f"{prefix}/.scratch/x/model", f"{prefix}-beside/model"
    begin(cut_off)
    begin(of_others)

    assert storage.remove_abandoned(older_than_s=600) == []
    found = storage.remove_abandoned(older_than_s=-60, is_dry_run=True)
    assert found == [f"{url}/.scratch/x/model (cut off)"]
    assert unfinished() >= {cut_off, of_others}

    assert storage.remove_abandoned(older_than_s=-60) == found

    assert of_others in unfinished()
    assert cut_off not in unfinished()
    assert storage.remove_abandoned(older_than_s=-60) == []


def test_uploads_of_others_who_share_a_bucket_go_on(object_store: ObjectStore) -> None:
    """With the bucket itself as the root."""
    store: Any = fsspec.filesystem("s3", use_listings_cache=False)
    bucket, _, _ = store.split_path(object_store.url)
    own = {"7/models/3/v1/a.json", "7/indexes/icu-en/x.safetensors", ".scratch/x/model"}
    of_others = {"backups/7/models/x", "7/images/x.png", "7", "x", ".scratches/x", "٣/models/x"}
    for key in own | of_others:
        store.call_s3("create_multipart_upload", Bucket=bucket, Key=key)

    ended = ObjectStorage(f"s3://{bucket}").remove_abandoned(older_than_s=-60)

    assert {f"s3://{bucket}/{key} (cut off)" for key in own} <= set(ended)
    assert of_others <= {upload["Key"] for upload in store.list_multipart_uploads(bucket)}
