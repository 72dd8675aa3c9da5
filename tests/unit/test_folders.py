"""Folders held open, and what somebody puts in the place of what is below them."""

import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path, PurePath, PurePosixPath

import psutil
import pytest

from lexiclass_core.folders import Folder, NotRegular, open_below

P = PurePosixPath


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A file that nobody here may read, write or delete."""
    file = tmp_path / "root" / "8" / "models" / "theirs"
    file.parent.mkdir(parents=True)
    file.write_text("theirs")
    return file


@pytest.fixture
def root(tmp_path: Path, theirs: Path) -> Iterator[Folder]:
    del theirs
    (tmp_path / "root" / "7").mkdir()
    with Folder.open(tmp_path / "root") as folder:
        yield folder


def link(at: Path, theirs: Path) -> None:
    at.symlink_to(theirs)


def dangling_link(at: Path, theirs: Path) -> None:
    at.symlink_to(theirs.with_name("not yet there"))


def pipe(at: Path, theirs: Path) -> None:
    del theirs
    os.mkfifo(at)


def unix_socket(at: Path, theirs: Path) -> None:
    del theirs
    with socket.socket(socket.AF_UNIX) as listening:
        # Its path may have 107 bytes.
        with_folder = os.open(at.parent, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{with_folder}/{at.name}")
        os.close(with_folder)


def device(at: Path, theirs: Path) -> None:
    del theirs
    try:
        os.mknod(at, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero, which has no end
    except PermissionError:
        pytest.skip("devices are made by root only")


ODDITIES = [link, dangling_link, pipe, unix_socket, device]


@pytest.mark.parametrize("put", ODDITIES)
def test_only_regular_files_are_read_and_listed(
    root: Folder, theirs: Path, put: Callable[[Path, Path], None]
) -> None:
    put(root.location / "7" / "odd", theirs)
    folder = root.folder(P("7"))

    with pytest.raises(NotRegular) as raised:
        folder.read("odd")

    assert raised.value.filename == str(root.location / "7" / "odd")
    assert list(folder.files()) == []
    assert folder.names() == ["odd"]


@pytest.mark.parametrize("put", ODDITIES)
def test_what_is_in_the_way_is_replaced_and_never_written_to(
    root: Folder, theirs: Path, put: Callable[[Path, Path], None]
) -> None:
    put(root.location / "7" / "odd", theirs)
    folder = root.folder(P("7"))

    folder.write("odd", b"ours")

    assert folder.read("odd") == b"ours"
    assert theirs.read_text() == "theirs"
    assert {path.name for path in theirs.parent.iterdir()} == {"theirs"}
    assert folder.names() == ["odd"]


@pytest.mark.parametrize("put", ODDITIES)
def test_what_is_no_file_is_removed_alone(
    root: Folder, theirs: Path, put: Callable[[Path, Path], None]
) -> None:
    put(root.location / "7" / "odd", theirs)

    root.folder(P("7")).remove("odd")

    assert theirs.read_text() == "theirs"
    assert root.folder(P("7")).names() == []


def test_a_second_name_of_a_file_keeps_its_content(root: Folder, theirs: Path) -> None:
    (root.location / "7" / "ours").hardlink_to(theirs)

    root.folder(P("7")).write("ours", b"new")

    assert (theirs.read_text(), root.folder(P("7")).read("ours")) == ("theirs", b"new")


def test_no_link_is_followed_on_the_way(root: Folder, theirs: Path) -> None:
    (root.location / "7" / "models").symlink_to(theirs.parent)
    (root.location / "6").symlink_to(root.location / "8")
    for path in (P("7/models"), P("7/models/deeper"), P("6/models")):
        for makes in (False, True):
            with pytest.raises(NotRegular, match="symbolic link"):
                root.folder(path, makes=makes)
    assert [str(path) for path, _ in root.files()] == ["8/models/theirs"]
    root.remove("7")
    assert theirs.read_text() == "theirs"


@pytest.mark.parametrize("path", ["..", "7/../../x", "/etc", "7/.."])
def test_a_path_leads_down_only(root: Folder, path: str) -> None:
    with pytest.raises(PermissionError):
        root.folder(PurePath(path))


def test_what_is_made_is_made_once(root: Folder) -> None:
    root.folder(P("9/a/b"), makes=True)
    root.folder(P("9/a/b"), makes=True).write("c", b"1")
    assert root.folder(P("9/a")).folder(P("b")).read("c") == b"1"
    with pytest.raises(FileNotFoundError, match="9/x"):
        root.folder(P("9/x/y"))
    with pytest.raises(NotADirectoryError):
        root.folder(P("9/a/b/c"))


def test_a_path_leads_to_the_folder_that_was_opened(root: Folder, theirs: Path) -> None:
    ours = root.folder(P("7/models"), makes=True)
    (root.location / "7" / "models").rename(root.location / "7" / "moved")
    (root.location / "7" / "models").symlink_to(theirs.parent)

    with ours.path() as path:
        (path / "new").write_text("ours")

    assert (root.location / "7" / "moved" / "new").read_text() == "ours"
    assert not (theirs.parent / "new").exists()


def test_errors_name_the_folder_as_people_know_it(root: Folder) -> None:
    folder = root.folder(P("7"))
    with pytest.raises(FileNotFoundError) as raised, folder.path() as path:
        (path / "deep" / "file").read_bytes()
    assert raised.value.filename == str(root.location / "7" / "deep" / "file")


def test_a_root_may_be_a_link(tmp_path: Path, root: Folder, theirs: Path) -> None:
    del root
    (tmp_path / "storage").symlink_to(tmp_path / "root")
    storage = tmp_path / "storage"
    with open_below(storage, storage / "8" / "models") as folder:
        assert folder.read("theirs") == theirs.read_bytes()
    with open_below(Path("/nowhere"), storage) as elsewhere:
        assert sorted(elsewhere.names()) == ["7", "8"]


SWAP = """
import contextlib, pathlib, sys, time
place, aside, theirs = map(pathlib.Path, sys.argv[1:])
while True:
    place.rename(aside)
    place.symlink_to(theirs)
    time.sleep(0.0001)
    place.unlink()
    aside.rename(place)
    time.sleep(0.0001)
"""


def test_whatever_is_swapped_meanwhile_nothing_is_written_elsewhere(
    root: Folder, theirs: Path
) -> None:
    """Somebody replaces a folder by a link and back, as fast as can be, while it is used."""
    place, aside = root.location / "7" / "m", root.location / "7" / "aside"
    place.mkdir()
    outcomes: Counter[str] = Counter()
    with subprocess.Popen([sys.executable, "-c", SWAP, place, aside, theirs.parent]) as attacker:
        try:
            # Often, and until it was caught in both states more than once.
            while outcomes.total() < 500 or min(outcomes["written"], outcomes["refused"]) < 5:
                assert attacker.poll() is None
                try:
                    with root.folder(P("7/m")) as folder:
                        folder.write(str(outcomes.total() % 7), b"ours")
                        folder.remove("theirs")
                    outcomes["written"] += 1
                except (NotRegular, NotADirectoryError):
                    # The latter where a link was opened that was a folder again when looked at.
                    outcomes["refused"] += 1
                except FileNotFoundError:
                    outcomes["gone"] += 1
        finally:
            attacker.kill()
    assert {path.name for path in theirs.parent.iterdir()} == {"theirs"}
    assert theirs.read_text() == "theirs"


def test_no_descriptor_stays_open(root: Folder) -> None:
    before = psutil.Process().num_fds()
    for _ in range(3):
        root.folder(P("7/a/b"), makes=True).write("c", b"")
        assert list(root.files())
        root.remove("7")
        with suppress(FileNotFoundError):
            root.folder(P("7/a"))
    assert psutil.Process().num_fds() == before


@pytest.mark.slow
def test_a_folder_of_any_number_of_levels_is_removed_and_not_read(root: Folder) -> None:
    levels = 1500
    place = os.open(str(root.location), os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("deep", dir_fd=place)
        os.mkdir("beside", dir_fd=place)
        below = os.open("deep", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)

    with pytest.raises(OSError, match="more levels of folders"):
        list(root.files())
    root.remove("deep")
    root.remove("beside")

    assert not [name for name in root.names() if name in {"deep", "beside"} or "partial" in name]
