"""Finished files in a directory, on their way to their place."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from lexiclass_core.folders import Folder, NotRegular

_REPLACED: Final = "replaced"
_WITHDRAWN: Final = "withdrawn"


class Place(NamedTuple):
    """Where something lies, or will: a name in the folder that ``folder`` opens."""

    folder: Callable[[], Folder]
    name: str


class StagedLocally:
    """Published by rename, with what it replaces moved aside.

    A worker that was taken for dead may wake up in the midst of this, after another has published:
    so it takes back nothing but its own, and what it gives back replaces nothing.

    Args:
        aside: Where a new folder lies for what is replaced; it is removed at the end.
    """

    def __init__(self, path: Path, source: Place, target: Place, aside: Place) -> None:
        self._path = path
        self._source = source
        self._target = target
        self._aside = aside
        self._published: _Identity | None = None

    @contextmanager
    def reading(self) -> Iterator[Path]:
        """See :class:`Staged`. Publishing moves these very files."""
        yield self._path

    def publish(self) -> None:
        name, target_name = self._source.name, self._target.name
        with self._source.folder() as source:
            identity = _Identity(source, name)
            try:
                with self._target.folder() as target, self._opened_aside() as aside:
                    try:
                        self._keep_what_is_there(target, aside, is_folder=identity.is_folder)
                        source.move(name, target, target_name)
                    except OSError:
                        _give_back(aside, _REPLACED, target, target_name)
                        raise
                    self._published = identity
                    target.sync()
            except OSError:
                if self._published is None:
                    identity.close()
                raise

    def withdraw(self) -> None:
        if self._published is None:
            return
        name = self._target.name
        with self._target.folder() as target, self._opened_aside() as aside:
            if not self._published.is_of(target, name):
                return
            # Another may replace it, or move it aside, even now.
            with suppress(FileNotFoundError):
                target.move(name, aside, _WITHDRAWN)
            is_own = self._published.is_of(aside, _WITHDRAWN)
            _give_back(aside, _REPLACED if is_own else _WITHDRAWN, target, name)

    def close(self) -> None:
        if self._published is not None:
            self._published.close()
            self._published = None
        with suppress(OSError), self._aside.folder() as scratch:
            scratch.remove(self._aside.name)

    def _opened_aside(self) -> Folder:
        with self._aside.folder() as scratch:
            return scratch.folder(Path(self._aside.name))

    def _keep_what_is_there(self, target: Folder, aside: Folder, *, is_folder: bool) -> None:
        # A directory cannot be renamed over a full one. A file replaces a file atomically: the old
        # one stays in its place until then.
        name = self._target.name
        with suppress(FileNotFoundError):
            if is_folder:
                target.move(name, aside, _REPLACED)
            elif stat.S_ISREG(target.status(name).st_mode):
                target.link(name, aside, _REPLACED)


class _Identity:
    """A file or folder, wherever it is moved to.

    It is kept open: the inode of one that is removed could become another's.

    Raises:
        NotRegular: If it is something else.
        OSError: If it is not there.
    """

    def __init__(self, folder: Folder, name: str) -> None:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with folder.naming(name):
            self._descriptor = os.open(name, flags, dir_fd=folder.descriptor)
            self._stat = os.fstat(self._descriptor)
            if not self.is_folder and not stat.S_ISREG(self._stat.st_mode):
                self.close()
                raise NotRegular(errno.EACCES, "neither a regular file nor a folder")

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self._stat.st_mode)

    def is_of(self, folder: Folder, name: str) -> bool:
        """Whether it is what has a name in a folder."""
        try:
            return os.path.samestat(self._stat, folder.status(name))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        os.close(self._descriptor)


def _give_back(source: Folder, name: str, target: Folder, target_name: str) -> None:
    """Put what was moved aside back in its place, unless there is none or something is there."""
    try:
        if stat.S_ISDIR(source.status(name).st_mode):
            source.move(name, target, target_name)
        else:
            source.link(name, target, target_name)
    except (FileNotFoundError, FileExistsError):
        pass
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.ENOTDIR}:
            raise
