"""Documents as an index sees them: from outside, and when they are read."""

import errno
import pickle
import resource
import threading
import time
from collections.abc import Generator, Iterable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lexiclass import Document, UnreadableDocument
from lexiclass_core import layout
from lexiclass_worker.artifacts import document_objects
from lexiclass_worker.artifacts.document_objects import DocumentObjects, Look
from lexiclass_worker.jobs.document_refs import DocumentRef, DocumentRefs
from lexiclass_worker.jobs.inputs import ProjectDocuments
from lexiclass_worker.ml import listing_plans, local_files
from lexiclass_worker.ml.document_paths import DocumentPaths
from lexiclass_worker.ml.documents import StoredDocuments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "7" / "documents"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are old enough at once."""
    monkeypatch.setattr(local_files, "_SETTLED_NS", -(10**12))


def stored(tmp_path: Path, *references: DocumentRef) -> StoredDocuments:
    source = ProjectDocuments(root=str(tmp_path), project_id=7, folder=None, max_bytes=1000)
    return StoredDocuments(source, references)


def stamps(tmp_path: Path, *references: DocumentRef) -> list[int]:
    positions = np.arange(len(references))
    return [int(stamp) for stamp in stored(tmp_path, *references).survey(positions).stamps]


@pytest.mark.usefixtures("settled")
def test_a_stamp_stays_until_the_file_is_written_to(tmp_path: Path, folder: Path) -> None:
    file = folder / "1.txt"
    file.write_text("red")
    (before,) = stamps(tmp_path, (1, None))
    assert before != 0
    assert stamps(tmp_path, (1, None)) == [before]
    file.write_text("sky")
    assert stamps(tmp_path, (1, None)) != [before]


@pytest.mark.usefixtures("settled")
def test_another_file_in_its_place_has_another_stamp(tmp_path: Path, folder: Path) -> None:
    for name in ("1.txt", "other.txt"):
        (folder / name).write_text("red")
    (before,) = stamps(tmp_path, (1, None))
    (folder / "other.txt").rename(folder / "1.txt")
    assert stamps(tmp_path, (1, None)) != [before]


def test_a_file_written_to_a_moment_ago_has_no_stamp(tmp_path: Path, folder: Path) -> None:
    (folder / "1.txt").write_text("red")
    survey = stored(tmp_path, (1, None)).survey(np.array([0]))
    assert (survey.stamps.tolist(), survey.sizes.tolist()) == ([0], [3])


@pytest.mark.usefixtures("settled")
def test_what_is_no_file_has_no_stamp(tmp_path: Path, folder: Path) -> None:
    (folder / "1.txt").symlink_to("/etc/passwd")
    (folder / "2.txt").mkdir()
    references = [(1, None), (2, None), (3, None), (4, "../8/documents/1.txt"), (5, "a\0b")]
    assert stamps(tmp_path, *references) == [0] * 5
    read = list(stored(tmp_path, *references).read(np.arange(5)))
    assert all(isinstance(document, UnreadableDocument) for document in read)


@pytest.mark.usefixtures("settled")
def test_a_content_path_names_the_file_that_counts(tmp_path: Path, folder: Path) -> None:
    (folder / "elsewhere.txt").write_text("blue")
    reference = (1, "7/documents/elsewhere.txt")
    (document,) = stored(tmp_path, reference).read(np.array([0]))
    assert isinstance(document, Document)
    assert document.text == "blue"
    assert stamps(tmp_path, reference) != [0]


def test_a_process_without_descriptors_blames_no_document(tmp_path: Path, folder: Path) -> None:
    (folder / "1.txt").write_text("one")
    source = stored(tmp_path, (1, None))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            list(source.read(np.arange(1)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert [document.id for document in source.read(np.arange(1))] == [1]


def test_documents_are_read_in_the_order_asked_for(tmp_path: Path, folder: Path) -> None:
    for number in range(3):
        (folder / f"{number}.txt").write_text(f"text {number}")
    source = stored(tmp_path, (0, None), (1, None), (2, None))
    assert source.ids.tolist() == [0, 1, 2]
    assert [document.id for document in source.read(np.array([2, 0]))] == [2, 0]
    assert source.survey(np.array([], dtype=np.int64)).stamps.tolist() == []


parts = st.sampled_from(["7", "8", "documents", "a", "1.txt", "..", ".", "", "x\\y", "n\0l", "s3:"])


@given(
    content_path=st.lists(parts, min_size=1, max_size=5).map("/".join), is_absolute=st.booleans()
)
@example(content_path="./7", is_absolute=False)
@example(content_path="./7", is_absolute=True)
@example(content_path="/7", is_absolute=True)
def test_a_content_path_leads_where_the_layout_says(content_path: str, is_absolute: bool) -> None:
    root = Path("/srv/storage")
    path = f"{root}/{content_path}" if is_absolute else content_path
    try:
        expected = layout.inside_project(7, path, base_path=str(root))
    except layout.PathOutsideProjectError:
        expected = PurePosixPath()
    # An empty one is none: the usual place.
    if not path:
        expected = PurePosixPath("7/documents/1.txt")
    source = ProjectDocuments(root=str(root), project_id=7, folder=None, max_bytes=1000)
    assert PurePosixPath(*DocumentPaths(source).of((1, path))) == expected


@pytest.fixture(params=["few", "many"])
def objects(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few objects are asked for one by one, many are listed."""
    monkeypatch.setattr(document_objects, "_SETTLED_S", -1000)
    if request.param == "many":
        monkeypatch.setattr(listing_plans, "_FEW", 0)


def in_store(tmp_path: Path, *references: DocumentRef) -> StoredDocuments:
    source = ProjectDocuments(root=f"file://{tmp_path}", project_id=7, folder=None, max_bytes=1000)
    return StoredDocuments(source, references)


def looked(tmp_path: Path, *references: DocumentRef) -> list[tuple[int, int]]:
    survey = in_store(tmp_path, *references).survey(np.arange(len(references)))
    return list(zip(survey.stamps.tolist(), survey.sizes.tolist(), strict=True))


@pytest.mark.usefixtures("objects")
def test_an_object_has_its_size_and_a_stamp_until_it_is_written_to(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "1.txt").write_text("red")
    (folder / "named.txt").write_text("blue sky")
    references = [(1, None), (2, "7/documents/named.txt")]
    before = looked(tmp_path, *references)
    assert [size for _, size in before] == [3, 8]
    assert all(stamp for stamp, _ in before)
    assert looked(tmp_path, *references) == before
    (folder / "1.txt").write_text("sky")
    after = looked(tmp_path, *references)
    assert after[0] != before[0]
    assert after[1] == before[1]


@pytest.mark.usefixtures("objects")
def test_what_is_no_object_has_no_stamp(tmp_path: Path, folder: Path) -> None:
    (folder / "2.txt").mkdir()
    references = [(2, None), (3, None), (4, "../8/documents/1.txt"), (5, "7/nowhere/5.txt")]
    assert looked(tmp_path, *references) == [(0, 0)] * 4
    read = list(in_store(tmp_path, *references).read(np.arange(4)))
    assert all(isinstance(document, UnreadableDocument) for document in read)


def test_an_object_written_to_a_moment_ago_has_no_stamp_without_a_tag(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "1.txt").write_text("red")
    assert looked(tmp_path, (1, None)) == [(0, 3)]


def test_a_folder_of_objects_is_listed_once(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    list_folder = DocumentObjects.listed

    def noting(
        self: DocumentObjects, path: str, prefixes: Iterable[str] = ("",)
    ) -> dict[str, Look]:
        listed.append(path)
        return list_folder(self, path, prefixes)

    monkeypatch.setattr(DocumentObjects, "listed", noting)
    references = [(number, None) for number in range(150)]
    for number, _ in references:
        (folder / f"{number}.txt").write_text("red")
    source = in_store(tmp_path, *references)
    assert source.survey(np.arange(120)).sizes.tolist() == [3] * 120
    assert source.survey(np.arange(120, 150)).sizes.tolist() == [3] * 30
    assert listed == ["7/documents"]


@pytest.mark.parametrize("number", [3, 150])
def test_a_name_that_none_can_have_hides_no_other_document(
    tmp_path: Path, folder: Path, number: int
) -> None:
    names = [None] * number
    for each in range(number):
        (folder / f"{each}.txt").write_text("red")
    source = in_store(
        tmp_path, *enumerate(names), (number, f"7/documents/{'9' * 300}.txt"), (number + 1, "7/é/1")
    )
    assert source.survey(np.arange(number + 2)).sizes.tolist() == [3] * number + [0, 0]


def test_objects_are_asked_for_side_by_side_and_come_in_order(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    references = [(number, None) for number in range(40)]
    for number, _ in references[:-1]:
        (folder / f"{number}.txt").write_text(f"text {number}")
    asked, most = [], []
    read = DocumentObjects._read

    def slowly(self: DocumentObjects, path: str, max_bytes: int) -> bytes:
        asked.append(path)
        most.append(len(asked))
        time.sleep(0.02 if path.endswith(("0.txt", "1.txt")) else 0.01)
        asked.remove(path)
        return read(self, path, max_bytes)

    monkeypatch.setattr(DocumentObjects, "_read", slowly)
    found = list(in_store(tmp_path, *references).read(np.arange(40)))

    assert [document.id for document in found] == list(range(40))
    assert [document.text for document in found if isinstance(document, Document)] == [
        f"text {number}" for number in range(39)
    ]
    assert found[-1] == UnreadableDocument(39, "missing")
    assert 4 < max(most) <= 16


def test_the_largest_document_says_how_many_are_asked_for_at_a_time(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document_objects, "_HELD_BYTES", 2_000)
    for number in range(40):
        (folder / f"{number}.txt").write_text("x" * 600)
    asked = []
    read = DocumentObjects._read

    def noting(self: DocumentObjects, path: str, max_bytes: int) -> bytes:
        asked.append(path)
        return read(self, path, max_bytes)

    monkeypatch.setattr(DocumentObjects, "_read", noting)
    for number, _ in enumerate(
        in_store(tmp_path, *((number, None) for number in range(40))).read(np.arange(40))
    ):
        time.sleep(0.005)
        assert len(asked) <= number + 1 + 4


def test_a_store_that_fails_ends_the_reading_and_leaves_no_thread(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: DocumentObjects, path: str, max_bytes: int) -> bytes:
        raise OSError(errno.EIO, "the store is gone")

    monkeypatch.setattr(DocumentObjects, "_read", fail)
    threads = set(threading.enumerate())
    with pytest.raises(OSError, match="the store is gone"):
        list(in_store(tmp_path, *((number, None) for number in range(100))).read(np.arange(100)))
    assert set(threading.enumerate()) <= threads


def test_nobody_has_to_take_all_objects(tmp_path: Path, folder: Path) -> None:
    for number in range(100):
        (folder / f"{number}.txt").write_text(f"text {number}")
    threads = set(threading.enumerate())
    documents = in_store(tmp_path, *((number, None) for number in range(100))).read(np.arange(100))
    assert isinstance(documents, Generator)
    assert next(documents).id == 0
    documents.close()
    assert set(threading.enumerate()) <= threads


@given(
    documents=st.lists(st.tuples(st.integers(1, 2**63 - 1), st.none() | st.text(max_size=5))),
    cut=st.integers(0, 5),
)
def test_references_are_what_was_put_in_wherever_they_are_cut(
    documents: list[DocumentRef], cut: int
) -> None:
    documents = [(number, path or None) for number, path in documents]
    references = DocumentRefs(documents[:cut])
    for number, path in documents[cut:]:
        references.extend([number], [path])
    references = pickle.loads(pickle.dumps(references))
    assert list(references) == documents
    assert len(references) == len(documents)
    source = ProjectDocuments(root="/srv", project_id=7, folder=None, max_bytes=1)
    positions = np.arange(len(documents))[::-1]
    chosen = StoredDocuments(source, references)._at(positions)
    assert [(number, path or None) for number, path in chosen] == documents[::-1]
