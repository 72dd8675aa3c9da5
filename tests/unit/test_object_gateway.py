"""How children have documents and indexes of an object store: through their worker."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import islice
from pathlib import Path
from typing import Any
from weakref import ReferenceType, ref

import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from lexiclass.processes import forked_map
from lexiclass_worker.artifacts.asking_project import AskingProject
from lexiclass_worker.artifacts.copies import CopyTooLarge, locked
from lexiclass_worker.artifacts.document_objects import Budget, Contents, DocumentObjects, prefetch
from lexiclass_worker.artifacts.gateway import Gateway
from lexiclass_worker.artifacts.generations import Checksum
from lexiclass_worker.artifacts.stored_project import StoredProject
from lexiclass_worker.errors import StorageUnavailable
from tests.support.variants import examples
from tests.support.workers import wait_until

NO_FILE = Checksum(1, "0" * 64)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An object store whose objects are files."""
    folder = tmp_path / "store" / "7" / "documents"
    folder.mkdir(parents=True)
    for number in range(50):
        (folder / f"{number}.txt").write_text(f"text {number}")
    index = tmp_path / "store" / "7" / "indexes" / "icu-en"
    index.mkdir(parents=True)
    (index / "index.json").write_text("{}")
    return tmp_path / "store"


def stored(
    store: Path, *, is_writer: bool = True, redact: Callable[[str], str] = str
) -> StoredProject:
    return StoredProject(
        f"file://{store}",
        7,
        cache_directory=store.with_name("cache"),
        cache_bytes=10**6,
        document_bytes=1000,
        is_writer=is_writer,
        redact=redact,
    )


@pytest.fixture
def gateway(store: Path) -> Iterator[Gateway]:
    made = Gateway(stored(store))
    yield made
    made.close()
    made.childs.close()


@pytest.fixture
def asking(gateway: Gateway) -> AskingProject:
    return AskingProject(gateway.childs)


def paths(*numbers: int) -> list[str]:
    return [f"7/documents/{number}.txt" for number in numbers]


def texts(asking: AskingProject, *numbers: int) -> list[str | type[OSError]]:
    return [
        content.decode() if isinstance(content, bytes) else type(content)
        for content in asking.read(paths(*numbers), 100)
    ]


def first_of(contents: Contents) -> bytes:
    content = next(contents)
    if isinstance(content, OSError):
        raise content
    return content


def test_documents_come_in_order_and_what_is_missing_ends_nothing(asking: AskingProject) -> None:
    assert texts(asking, 3, 99, 1) == ["text 3", FileNotFoundError, "text 1"]
    assert list(asking.read(paths(1), 4)) == [b"text"]
    assert asking.listed("7/documents")["3.txt"][1] == len("text 3")
    assert asking.looked_at("7/documents", ["4.txt", "none.txt"])["none.txt"] == (0, 0)


def test_forked_processes_ask_side_by_side(asking: AskingProject) -> None:
    found = forked_map(lambda number: texts(asking, number), range(50), num_processes=3)
    assert list(found) == [[f"text {number}"] for number in range(50)]


def test_nobody_has_to_take_all_documents(asking: AskingProject, gateway: Gateway) -> None:
    before = threading.active_count()
    with closing(asking.read(paths(*range(50)), 100)) as contents:
        assert next(contents) == b"text 0"
    gateway.close()
    wait_until(lambda: threading.active_count() <= before)


@pytest.mark.parametrize(
    "path", ["8/documents/1.txt", "7/../8/1.txt", "7//1.txt", "/etc/passwd", "7/documents/a\0"]
)
def test_nothing_is_read_beside_the_project(asking: AskingProject, path: str) -> None:
    with pytest.raises(PermissionError):
        first_of(asking.read([path], 10))


@pytest.mark.parametrize("name", ["..", "", "a/b", ".", "a\0b", "x" * 300])
def test_no_index_is_named_that_lies_elsewhere(asking: AskingProject, name: str) -> None:
    with pytest.raises(PermissionError):
        asking.index_manifest(name)
    asking.index_manifest("icu-en")
    with pytest.raises(PermissionError):
        asking.fetch_index("icu-en", {name: NO_FILE}, is_bounded=True)


def test_only_who_writes_indexes_changes_one(store: Path) -> None:
    gateway = Gateway(stored(store, is_writer=False))
    asking = AskingProject(gateway.childs)
    for change in (asking.begin_build, asking.replace_manifest, asking.remove_index):
        with pytest.raises(PermissionError, match="changes no index"):
            change("icu-en")
    gateway.close()
    gateway.childs.close()
    assert (store / "7/indexes/icu-en/index.json").read_text() == "{}"


def test_a_link_in_a_build_uploads_nothing_of_the_machine(
    store: Path, asking: AskingProject
) -> None:
    working = asking.begin_build("new")
    (working / "shard.safetensors").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic link"):
        asking.upload_build("new", {"shard.safetensors": NO_FILE})
    assert not (store / "7/indexes/new/shard.safetensors").exists()


def test_a_file_without_end_in_the_place_of_a_manifest_takes_no_memory(
    asking: AskingProject,
) -> None:
    """The child writes where its worker keeps copies, and builds."""
    asking.index_manifest("icu-en")
    directory = asking.index_directory("icu-en")
    directory.mkdir()
    with (directory / "index.json").open("wb") as file:
        file.truncate(2**42)
    assert asking.fetch_index("icu-en", {}, is_bounded=True)
    assert (directory / "index.json").read_text() == "{}"

    begun_from = asking.begin_build("icu-en").parent / "begun_from"
    for name in (begun_from, directory / "index.json"):
        with name.open("wb") as file:
            file.truncate(2**42)
    with pytest.raises(OSError, match="longer than any manifest"):
        asking.begin_build("icu-en")


def test_what_a_job_has_fetched_is_released_when_it_ends(
    store: Path, asking: AskingProject, gateway: Gateway
) -> None:
    asking.index_manifest("icu-en")
    assert asking.fetch_index("icu-en", {}, is_bounded=True)
    directory = asking.index_directory("icu-en")
    with pytest.raises(BlockingIOError), locked(directory, 2 | 4):
        pass
    gateway.close()
    with locked(directory, 2 | 4):
        assert (directory / "index.json").read_text() == "{}"


@pytest.mark.parametrize(
    "request_bytes", [b"", b"nonsense", b"=" + (2**40).to_bytes(8, "big"), b"=" + bytes(8)]
)
def test_what_is_no_request_ends_nothing(
    asking: AskingProject, gateway: Gateway, request_bytes: bytes
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(gateway.childs, [b"\0"], [theirs.fileno()])
        ours.sendall(request_bytes)
        ours.shutdown(socket.SHUT_WR)
    # No socket at all, and a byte without one.
    reading, writing = os.pipe()
    socket.send_fds(gateway.childs, [b"\0"], [reading])
    os.close(reading)
    os.close(writing)
    gateway.childs.sendall(b"\0")
    assert texts(asking, 1) == ["text 1"]


def opened() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.slow_variants
@pytest.mark.parametrize("is_writer", [True, False])
def test_a_job_holds_few_indexes_however_many_it_names(store: Path, *, is_writer: bool) -> None:
    """The lock of each is a file that its worker has open, among those of all tasks."""
    gateway = Gateway(stored(store, is_writer=is_writer))
    asking = AskingProject(gateway.childs)
    before = opened()
    for number in range(200):
        with suppress(OSError):
            asking.drop_old_files(f"index-{number}", {})
        with suppress(OSError):
            asking.begin_build(f"index-{number}")
        asking.index_manifest("icu-en")
    assert opened() < before + 40
    asking.release_index("index-0")
    gateway.close()
    gateway.childs.close()


@pytest.mark.parametrize("max_bytes", [10**15, -1, 1001])
def test_no_more_of_a_document_is_read_than_of_the_largest(
    store: Path, asking: AskingProject, max_bytes: int
) -> None:
    with (store / "7/documents/large.txt").open("wb") as file:
        file.truncate(2**42)
    (content,) = asking.read(["7/documents/large.txt"], max_bytes)
    assert isinstance(content, bytes)
    assert len(content) == (0 if max_bytes < 0 else 1001)


def test_a_request_of_more_values_than_any_is_refused_before_it_is_parsed(
    asking: AskingProject, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass_worker.artifacts.gateway._MOST_VALUES", 10_000)
    with pytest.raises(StorageUnavailable, match="ValueError"):
        asking.looked_at("7/documents", ["1.txt"] * 10_001)
    many = ["1.txt"] * 9_000
    assert asking.looked_at("7/documents", many)["1.txt"][1] == len("text 1")


def test_a_stream_that_is_changed_meanwhile_ends_alone_and_without_a_traceback(
    asking: AskingProject, gateway: Gateway, capfd: pytest.CaptureFixture[str]
) -> None:
    before = threading.active_count()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        socket.send_fds(gateway.childs, [b"\0"], [theirs.fileno()])
        assert texts(asking, 1) == ["text 1"]
    gateway.close()
    wait_until(lambda: threading.active_count() <= before)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.slow
def test_one_large_request_is_answered_at_a_time_and_small_ones_meanwhile(
    asking: AskingProject, gateway: Gateway
) -> None:
    with ExitStack() as stack:
        taken = dict[socket.socket, int]()
        for _ in range(2):
            ours, theirs = map(stack.enter_context, socket.socketpair())
            socket.send_fds(gateway.childs, [b"\0"], [theirs.fileno()])
            ours.sendall(b"=" + (2**25).to_bytes(8, "big"))
            ours.setblocking(False)
            taken[ours] = 0

        def is_one_taken() -> bool:
            for stream in taken:
                with suppress(BlockingIOError):
                    taken[stream] += stream.send(bytes(2**16))
            return max(taken.values()) > 2**22

        wait_until(is_one_taken)
        # A socket holds some hundred kilobytes.
        assert min(taken.values()) < 2**20
        assert texts(asking, 1) == ["text 1"]


class Answer(bytearray):
    """Bytes that say whether anybody holds them."""


@given(
    sizes=st.lists(st.integers(0, 300), max_size=60),
    streams=st.integers(1, 4),
    steps=st.lists(st.integers(0, 3), max_size=60),
)
@settings(deadline=None, max_examples=examples(50))
def test_unread_answers_of_all_streams_of_a_job_fit_one_budget(
    sizes: list[int], streams: int, steps: list[int]
) -> None:
    """Beside what each stream whose turn it is needs, so that none waits for another."""
    budget, most, lent = Budget(500), 250, 500 + streams * 250
    given_out: list[ReferenceType[Answer]] = []

    def ask(size: int, limit: int) -> Answer:
        answer = Answer(min(size, limit))
        given_out.append(ref(answer))
        return answer

    def held() -> int:
        return sum(len(answer) for each in given_out if (answer := each()) is not None)

    with ExitStack() as stack:
        answers = [
            stack.enter_context(closing(prefetch(ask, sizes, size=len, most=most, budget=budget)))
            for _ in range(streams)
        ]
        lengths: list[list[int]] = [[] for _ in answers]
        for step in steps:
            stream = step % streams
            lengths[stream] += map(len, islice(answers[stream], 1))
            assert held() <= lent
        expected = [min(size, most) for size in sizes]
        assert all(found == expected[: len(found)] for found in lengths)
    assert budget.take(500)


def test_what_a_job_has_asked_for_ends_with_it(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(stored(store))
    asking = AskingProject(gateway.childs)
    before, looked = threading.active_count(), []
    info = LocalFileSystem.info

    def note(self: LocalFileSystem, path: str, **kwargs: Any) -> Any:
        looked.append(path)
        return info(self, path, **kwargs)

    monkeypatch.setattr(LocalFileSystem, "info", note)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(asking.looked_at, "7/documents", ["1.txt"] * 500_000)
        wait_until(lambda: len(looked) > 100)
        gateway.close()
        with pytest.raises(ConnectionResetError):
            asked.result()
    wait_until(lambda: threading.active_count() <= before)
    assert len(looked) < 500_000
    gateway.childs.close()


def test_a_child_is_told_no_secret_and_no_address_of_the_store(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = f"file://{store}"
    said = f'no answer of "https://hidden:9000/x?key=hunter2" for {root}/7/documents'

    failures = [
        OSError(5, said, f"{root}/7/hunter2"),
        StorageUnavailable(said, details={"url": said}),
    ]

    def refuse(self: DocumentObjects, *_: object) -> Any:
        raise failures.pop()

    monkeypatch.setattr(DocumentObjects, "listed", refuse)
    gateway = Gateway(stored(store, redact=lambda text: text.replace("hunter2", "***")))
    while failures:
        with pytest.raises((OSError, StorageUnavailable)) as raised:
            AskingProject(gateway.childs).listed("7/documents")
        told = f"{raised.value} {getattr(raised.value, 'details', '')}"
        assert f"{root}/7/documents" in told
        assert "hidden" not in told
        assert "hunter2" not in told
    gateway.close()
    gateway.childs.close()


def test_a_manifest_is_read_no_further_than_the_longest_there_can_be(
    store: Path, asking: AskingProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lexiclass_worker.artifacts.index_copies.LARGEST_MANIFEST_BYTES", 9)
    (store / "7/indexes/icu-en/index.json").write_bytes(b"x" * 1000)
    assert asking.index_manifest("icu-en") == b"x" * 10


@pytest.mark.parametrize("claimed", [1, -(10**9)])
def test_a_reader_cannot_have_a_copy_beyond_the_limit_whatever_it_says_of_it(
    store: Path, claimed: int
) -> None:
    name = f"shard-{'0' * 32}.safetensors"
    (store / "7" / "indexes" / "icu-en" / name).write_bytes(b"x" * 2_000_000)
    with stored(store, is_writer=False) as project:
        assert project.index_manifest("icu-en") == b"{}"
        for is_bounded in (True, False):
            with pytest.raises(CopyTooLarge):
                project.fetch_index(
                    "icu-en", {name: Checksum(claimed, "0" * 64)}, is_bounded=is_bounded
                )
    assert not list((store.with_name("cache")).rglob(name))
