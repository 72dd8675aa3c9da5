"""Storage in a directory."""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Final

# Work in progress lies on the same file system as what it becomes, so that publishing is a rename.
_SCRATCH: Final = ".scratch"


class LocalStorage:
    """Files in a directory, published by rename.

    Args:
        base_path: The directory; made on first use.
    """

    def __init__(self, base_path: str | Path) -> None:
        self._base = Path(base_path).absolute()

    @property
    def root(self) -> str:
        """See :class:`Storage`."""
        return str(self._base)

    def locate(self, path: PurePosixPath) -> str:
        """See :class:`Storage`."""
        return str(self._base / path)

    def is_directory(self, path: PurePosixPath) -> bool:
        """See :class:`Storage`."""
        # Not Path.is_dir: that raises for a name which is too long to exist.
        return os.path.isdir(self._base / path)  # noqa: PTH112

    def stays_inside(self, path: PurePosixPath, folder: PurePosixPath) -> bool:
        """See :class:`Storage`."""
        inside = os.path.realpath(self._base / path)
        return Path(inside).is_relative_to(os.path.realpath(self._base / folder))

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """See :class:`Storage`."""
        parent = self._base / _SCRATCH
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as directory:
            yield Path(directory)

    @contextmanager
    def reading(self, directory: PurePosixPath) -> Iterator[Path]:
        """See :class:`Storage`."""
        path = self._base / directory
        if not path.is_dir():
            raise FileNotFoundError(f"no folder {path}")
        yield path

    @contextmanager
    def updating(self, directory: PurePosixPath) -> Iterator[Path]:
        """See :class:`Storage`. The folder itself: writers replace its manifest atomically."""
        path = self._base / directory
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path

    def publish_directory(self, source: Path, target: PurePosixPath) -> None:
        """See :class:`Storage`."""
        destination = self._base / target
        destination.parent.mkdir(parents=True, exist_ok=True)
        with self.scratch() as scratch:
            replaced = scratch / "replaced"
            # A directory cannot be renamed over a full one: move the old one aside first.
            with suppress(FileNotFoundError):
                destination.rename(replaced)
            try:
                source.rename(destination)
            except OSError:
                if replaced.exists():
                    replaced.rename(destination)
                raise
        _sync(destination.parent)

    def publish_file(self, source: Path, target: PurePosixPath) -> None:
        """See :class:`Storage`."""
        destination = self._base / target
        destination.parent.mkdir(parents=True, exist_ok=True)
        _sync(source)
        source.replace(destination)
        _sync(destination.parent)

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        """See :class:`Storage`."""
        made: set[Path] = set()
        for path, text in texts:
            destination = self._base / path
            if destination.parent not in made:
                destination.parent.mkdir(parents=True, exist_ok=True)
                made.add(destination.parent)
            destination.write_bytes(text.encode())

    def remove(self, path: PurePosixPath) -> None:
        """See :class:`Storage`."""
        target = self._base / path
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Make a file's content, or a folder's entries, survive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
