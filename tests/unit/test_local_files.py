"""Files of a project on a disk, and what somebody puts in their place."""

import os
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lexiclass_worker.ml.local_files import LocalFiles

ELSEWHERE = "another project's"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for project in ("7", "8"):
        (tmp_path / project / "documents").mkdir(parents=True)
    (tmp_path / "7" / "documents" / "1.txt").write_text("ours")
    (tmp_path / "8" / "documents" / "1.txt").write_text(ELSEWHERE)
    return tmp_path


def test_a_file_is_read_and_no_more_of_it_than_asked_for(root: Path) -> None:
    files = LocalFiles(str(root), 7)
    assert files.read("7/documents/1.txt", 100) == b"ours"
    assert files.read("7/documents/1.txt", 2) == b"ou"


def test_links_inside_the_project_are_followed_to_folders(root: Path) -> None:
    (root / "7" / "uploads").symlink_to("documents")
    (root / "7" / "documents" / "deep").mkdir()
    (root / "7" / "documents" / "deep" / "2.txt").write_text("deeper")
    files = LocalFiles(str(root), 7)
    assert files.read("7/uploads/1.txt", 100) == b"ours"
    assert files.read("7/uploads/deep/2.txt", 100) == b"deeper"


def test_a_storage_behind_a_link_is_a_storage(root: Path) -> None:
    (root / "storage").symlink_to(root)
    assert LocalFiles(f"{root}/storage", 7).read("7/documents/1.txt", 100) == b"ours"


def link_to_folder(root: Path) -> str:
    (root / "7" / "uploads").symlink_to(root / "8" / "documents")
    return "7/uploads/1.txt"


def link_above_folder(root: Path) -> str:
    (root / "7" / "uploads").symlink_to(root / "8")
    return "7/uploads/documents/1.txt"


def link_to_file(root: Path) -> str:
    (root / "7" / "documents" / "2.txt").symlink_to(root / "8" / "documents" / "1.txt")
    return "7/documents/2.txt"


def another_project(root: Path) -> str:
    del root
    return "8/documents/1.txt"


def a_name_that_begins_alike(root: Path) -> str:
    (root / "70").mkdir()
    (root / "70" / "1.txt").write_text(ELSEWHERE)
    return "70/1.txt"


def a_pipe(root: Path) -> str:
    os.mkfifo(root / "7" / "documents" / "2.txt")
    return "7/documents/2.txt"


@pytest.mark.parametrize(
    "trap",
    [
        link_to_folder, link_above_folder, link_to_file, another_project, a_name_that_begins_alike,
        a_pipe,
    ],
)  # fmt: skip
def test_what_is_not_a_file_of_the_project_is_not_read(
    root: Path, trap: Callable[[Path], str]
) -> None:
    path = trap(root)
    files = LocalFiles(str(root), 7)
    with pytest.raises(PermissionError):
        files.read(path, 100)
    folder, _, name = path.rpartition("/")
    ((stamp, _),) = files.look([(folder, name)])
    assert stamp == 0


def test_a_folder_replaced_by_a_link_while_files_are_read_leads_nowhere_else(root: Path) -> None:
    files = LocalFiles(str(root), 7)
    assert files.read("7/documents/1.txt", 100) == b"ours"
    (root / "7" / "documents").rename(root / "7" / "moved")
    (root / "7" / "documents").symlink_to(root / "8" / "documents")

    assert files.read("7/documents/1.txt", 100) == b"ours"


def test_a_folder_that_was_replaced_by_another_is_found_again(root: Path) -> None:
    files = LocalFiles(str(root), 7)
    assert files.read("7/documents/1.txt", 100) == b"ours"
    (root / "7" / "new").mkdir()
    (root / "7" / "new" / "2.txt").write_text("new")
    (root / "7" / "documents").rename(root / "7" / "old")
    (root / "7" / "new").rename(root / "7" / "documents")

    assert files.read("7/documents/2.txt", 100) == b"new"
    for path in ("7/documents/1.txt", "7/nowhere/1.txt"):
        with pytest.raises(FileNotFoundError):
            files.read(path, 100)


def test_a_folder_replaced_by_a_link_is_not_found_again(root: Path) -> None:
    (root / "8" / "documents" / "2.txt").write_text(ELSEWHERE)
    files = LocalFiles(str(root), 7)
    assert files.read("7/documents/1.txt", 100) == b"ours"
    (root / "7" / "documents").rename(root / "7" / "moved")
    (root / "7" / "documents").symlink_to(root / "8" / "documents")
    with pytest.raises(PermissionError):
        files.read("7/documents/2.txt", 100)


def test_a_folder_replaced_by_a_link_between_the_check_and_its_opening_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    realpath = os.path.realpath

    def check_and_lose(path: str) -> str:
        resolved = realpath(path)
        if path.endswith("documents"):
            (root / "7" / "documents").rename(root / "7" / "moved")
            (root / "7" / "documents").symlink_to(root / "8" / "documents")
        return resolved

    files = LocalFiles(str(root), 7)
    monkeypatch.setattr(os.path, "realpath", check_and_lose)
    with pytest.raises(PermissionError, match="symbolic link"):
        files.read("7/documents/1.txt", 100)


def test_folders_do_not_use_up_the_descriptors(root: Path) -> None:
    process = psutil.Process()
    before = process.num_fds()
    files = LocalFiles(str(root), 7)
    for number in range(200):
        folder = root / "7" / "documents" / str(number)
        folder.mkdir()
        (folder / "1.txt").write_text(str(number))
        assert files.read(f"7/documents/{number}/1.txt", 100) == str(number).encode()
    assert process.num_fds() - before <= 64
    del files
    assert process.num_fds() == before
