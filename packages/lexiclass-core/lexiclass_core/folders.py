"""Folders held open: what lies below one is reached by its name, and no link leads anywhere else.

Whoever may write below a project's folder must not make a worker read, write or delete what is
elsewhere: another project's files, or any of the machine's. A path that was checked before it is
used is no guard, for a folder can be replaced by a link in between. So the root of a storage is
opened once, where links may lead, and everything below it one name at a time, without following
links (``O_NOFOLLOW`` of https://pubs.opengroup.org/onlinepubs/9799919799/functions/open.html).

Files are regular files: opening a FIFO would wait for its other end, and a device has no end.
Nothing is written in place, so another name of the same file (a hard link) keeps its content.
"""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePath, PurePosixPath
from typing import BinaryIO, Final, Self
from uuid import uuid4

# Only to reach what is in it, where the system can tell that apart from listing it.
_TO_REACH: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_TO_LIST: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_TO_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_TO_MAKE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# Linux has a path for a descriptor, which leads to what was opened whatever became of its name.
_DESCRIPTORS: Final = Path("/proc/self/fd")


# Deeper than anybody sorts files; a folder that is read through or emptied is open, as are all
# that it lies in.
_MOST_LEVELS: Final = 100
_LEVELS_AT_ONCE: Final = 100

# A text or a note, in whose place somebody may have put a file of any size.
_MOST_AT_ONCE: Final = 2**30
_CHUNK: Final = 2**20


class NotRegular(PermissionError):
    """A link, a FIFO, a socket or a device lies where a regular file or a folder should."""


class Folder:
    """A folder that stays the same one, whatever its path leads to; a context manager.

    Args:
        descriptor: Of the open folder, which is closed with this.
        location: Its path, for errors.
    """

    def __init__(self, descriptor: int, location: Path) -> None:
        self.descriptor: Final = descriptor
        self.location: Final = location
        self._is_open = True

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a folder by its path, in which links are followed: that of a storage's root.

        Raises:
            OSError: If there is none.
        """
        return cls(os.open(path, _TO_REACH), path)

    def close(self) -> None:
        """Let go of the folder; doing it twice does no harm."""
        if self._is_open:
            self._is_open = False
            os.close(self.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def folder(self, path: PurePath, *, makes: bool = False) -> "Folder":
        """A folder below this one.

        Args:
            path: Relative to this folder; of no parts for another of this very folder.
            makes: Whether folders that are not there are made.

        Raises:
            NotRegular: If a link lies on the way.
            OSError: If there is no such folder, or it cannot be opened or made.
        """
        if path.is_absolute() or ".." in path.parts:
            raise NotRegular(errno.EACCES, "not a path below this folder", str(path))
        found = Folder(os.open(".", _TO_REACH, dir_fd=self.descriptor), self.location)
        for name in path.parts:
            found = found._enter(name, makes=makes)
        return found

    def _enter(self, name: str, *, makes: bool) -> "Folder":
        with self, self.naming(name):
            if makes:
                with suppress(FileExistsError):
                    os.mkdir(name, dir_fd=self.descriptor)
            try:
                descriptor = os.open(name, _TO_REACH | os.O_NOFOLLOW, dir_fd=self.descriptor)
            except NotADirectoryError:
                if stat.S_ISLNK(self.status(name).st_mode):
                    raise NotRegular(
                        errno.ELOOP,
                        "a symbolic link, and none is followed below the storage's root: put what "
                        "it leads to in its place",
                    ) from None
                raise
        return Folder(descriptor, self.location / name)

    @contextmanager
    def path(self) -> Iterator[Path]:
        """A path that leads to this very folder, for code that works with paths.

        It is good inside the ``with`` block, in this process and those it forks. Errors that leave
        the block name the folder as people know it. Where the system has no path for what is open,
        it is the folder's usual one.

        What is in the folder may be a link all the same: open files so that none is followed.
        """
        opened = _DESCRIPTORS / str(self.descriptor)
        if not opened.exists():
            yield self.location
            return
        try:
            yield opened
        except OSError as error:
            if error.filename is not None:
                error.filename = self._usual(error.filename)
            if error.filename2 is not None:
                error.filename2 = self._usual(error.filename2)
            raise

    def _usual(self, name: object) -> object:
        opened = str(_DESCRIPTORS / str(self.descriptor))
        if isinstance(name, str) and (name == opened or name.startswith(f"{opened}/")):
            return f"{self.location}{name.removeprefix(opened)}"
        return name

    def status(self, name: str) -> os.stat_result:
        """What the system knows of something in this folder, a link itself included.

        Raises:
            OSError: If there is nothing of this name.
        """
        with self.naming(name):
            return os.stat(name, dir_fd=self.descriptor, follow_symlinks=False)

    def open_file(self, name: str) -> BinaryIO:
        """Open a regular file to read it.

        Raises:
            NotRegular: If it is a link, a FIFO, a socket or a device.
            IsADirectoryError: If it is a folder.
            OSError: If it cannot be opened.
        """
        with self.naming(name):
            return os.fdopen(open_regular(name, self.descriptor), "rb")

    def read(self, name: str) -> bytes:
        """The content of a regular file; see :meth:`open_file`.

        Raises:
            OSError: Also if it is larger than anything that is read at once.
        """
        content = bytearray()
        with self.open_file(name) as file:
            while piece := file.read(_CHUNK):
                content += piece
                if len(content) > _MOST_AT_ONCE:
                    raise OSError(errno.EFBIG, "too large", str(self.location / name))
        return bytes(content)

    def make_file(self, name: str) -> BinaryIO:
        """Make a file and open it to write it.

        Raises:
            FileExistsError: If there is something of this name, a link included.
            OSError: If it cannot be made.
        """
        with self.naming(name):
            return os.fdopen(os.open(name, _TO_MAKE, 0o666, dir_fd=self.descriptor), "wb")

    def write(self, name: str, content: bytes) -> None:
        """Make a file, or put a new one in the place of whatever has this name.

        Raises:
            OSError: If it cannot be written, or a folder has this name.
        """
        try:
            file = self.make_file(name)
        except FileExistsError:
            self._replace(name, content)
            return
        with self.naming(name), file:
            file.write(content)

    def _replace(self, name: str, content: bytes) -> None:
        aside = f".{uuid4().hex}.partial"
        try:
            with self.naming(name), self.make_file(aside) as file:
                file.write(content)
            self.move(aside, self, name)
        except BaseException:
            self.remove(aside)
            raise

    def move(self, name: str, target: "Folder", new_name: str) -> None:
        """Put a file or a folder in the place of what has a name in another folder.

        Raises:
            OSError: If it cannot be moved.
        """
        with self.naming(name):
            os.replace(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor)

    def link(self, name: str, target: "Folder", new_name: str) -> None:
        """Give a file, which may be a link itself, a second name in another folder.

        Raises:
            FileExistsError: If there is something of that name.
            OSError: If it cannot be done.
        """
        with self.naming(name):
            os.link(
                name,
                new_name,
                src_dir_fd=self.descriptor,
                dst_dir_fd=target.descriptor,
                follow_symlinks=False,
            )

    def remove(self, name: str) -> None:
        """Remove whatever has this name: a folder with all below it, a link alone.

        Raises:
            OSError: If it cannot be removed; not if there is nothing.
        """
        while True:
            with suppress(FileNotFoundError), self.naming(name):
                if stat.S_ISDIR(self.status(name).st_mode):
                    # Another process may be removing it as well, or bring something new.
                    self._remove_folder(name)
                    continue
                os.unlink(name, dir_fd=self.descriptor)
            return

    def _remove_folder(self, name: str) -> None:
        """Remove a folder, however many levels it has: each that is open takes a descriptor."""
        try:
            shutil.rmtree(name, dir_fd=self.descriptor)
        except (RecursionError, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EMFILE:
                raise
            aside: list[str] = []
            with self.folder(PurePath(name)) as deep:
                deep._flatten(self, aside, levels=_LEVELS_AT_ONCE)  # noqa: SLF001 - its own
            for each in (name, *aside):
                self.remove(each)

    def _flatten(self, top: "Folder", aside: list[str], *, levels: int) -> None:
        """Move what lies some levels below here to another folder, and note its new names."""
        for name in self.names():
            if not stat.S_ISDIR(self.status(name).st_mode):
                continue
            if levels == 0:
                aside.append(f".{uuid4().hex}.partial")
                self.move(name, top, aside[-1])
                continue
            with self.folder(PurePath(name)) as inner:
                inner._flatten(top, aside, levels=levels - 1)  # noqa: SLF001 - its own

    def names(self) -> list[str]:
        """The names of all that is in this folder.

        Raises:
            OSError: If it cannot be listed.
        """
        with self._listed() as descriptor, os.scandir(descriptor) as entries:
            return [entry.name for entry in entries]

    def files(
        self, *, levels: int = _MOST_LEVELS
    ) -> Iterator[tuple[PurePosixPath, os.stat_result]]:
        """The regular files in this folder and below it: path relative to it, and status.

        What vanishes meanwhile is left out.

        Args:
            levels: How many of folders there may be, each of which is open meanwhile.

        Raises:
            OSError: If a folder cannot be listed, or there are more levels.
        """
        if levels == 0:
            raise OSError(
                errno.ENAMETOOLONG, "more levels of folders than are read", str(self.location)
            )
        for name in sorted(self.names()):
            with suppress(FileNotFoundError):
                status = self.status(name)
                if stat.S_ISREG(status.st_mode):
                    yield PurePosixPath(name), status
                elif stat.S_ISDIR(status.st_mode):
                    with self.folder(PurePosixPath(name)) as inner:
                        for path, status in inner.files(levels=levels - 1):
                            yield PurePosixPath(name) / path, status

    def sync(self) -> None:
        """Make the entries of this folder survive a loss of power."""
        with self._listed() as descriptor:
            os.fsync(descriptor)

    @contextmanager
    def _listed(self) -> Iterator[int]:
        with self.naming(""):
            descriptor = os.open(".", _TO_LIST, dir_fd=self.descriptor)
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    @contextmanager
    def naming(self, name: str) -> Iterator[None]:
        """Have the errors of a ``with`` block name something in this folder by its whole path."""
        try:
            yield
        except OSError as error:
            if error.filename is None or not str(error.filename).startswith("/"):
                error.filename = str(self.location / name)
            if error.filename2 is not None:
                del error.filename2
            raise


def open_below(root: Path, path: Path) -> Folder:
    """Open a folder by its path, without following links below a root; elsewhere they are.

    Raises:
        NotRegular: If a link lies on the way.
        OSError: If there is no such folder, or it cannot be opened.
    """
    if not path.is_relative_to(root):
        return Folder.open(path)
    with Folder.open(root) as opened:
        return opened.folder(path.relative_to(root))


def open_regular(name: str, folder: int) -> int:
    """Open a regular file in an open folder to read it, and return its descriptor.

    Raises:
        NotRegular: If it is a link, a FIFO, a socket or a device.
        IsADirectoryError: If it is a folder.
        OSError: If it cannot be opened.
    """
    try:
        descriptor = os.open(name, _TO_READ, dir_fd=folder)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise NotRegular(errno.ELOOP, "a symbolic link") from error
        if error.errno == errno.ENXIO:  # a socket
            raise _not_regular() from error
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    raise _not_regular()


def _not_regular() -> NotRegular:
    return NotRegular(errno.EACCES, "not a regular file")
