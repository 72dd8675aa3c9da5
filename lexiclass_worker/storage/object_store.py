"""Storage in an object store, through fsspec."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec

# What says that a folder's other files are complete; goes last, and first when replaced.
_MANIFESTS: Final = frozenset({"manifest.json", "index.json"})


class ObjectStorage:
    """Files in an object store. Nothing can be renamed there: a manifest goes last.

    Args:
        url: Such as ``s3://bucket/prefix``.

    Raises:
        ImportError: If the URL's protocol needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        self._fs: Any
        self._fs, self._base = fsspec.core.url_to_fs(url.rstrip("/"))
        self._url = url.rstrip("/")
        self._base = self._base.rstrip("/")

    @property
    def root(self) -> str:
        """See :class:`Storage`."""
        return self._url

    def locate(self, path: PurePosixPath) -> str:
        """See :class:`Storage`."""
        return f"{self._url}/{path}"

    def is_directory(self, path: PurePosixPath) -> bool:
        """See :class:`Storage`."""
        return bool(self._fs.isdir(self._key(path)))

    def stays_inside(self, path: PurePosixPath, folder: PurePosixPath) -> bool:
        """See :class:`Storage`. An object store has no links."""
        return path.is_relative_to(folder)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """See :class:`Storage`."""
        with tempfile.TemporaryDirectory(prefix="lexiclass-") as directory:
            yield Path(directory)

    @contextmanager
    def reading(self, directory: PurePosixPath) -> Iterator[Path]:
        """See :class:`Storage`."""
        with self.scratch() as scratch:
            names = self._file_names(directory)
            if not names:
                raise FileNotFoundError(f"no folder {self.locate(directory)}")
            self._download(directory, names, scratch)
            yield scratch

    @contextmanager
    def updating(self, directory: PurePosixPath) -> Iterator[Path]:
        """See :class:`Storage`."""
        with self.scratch() as scratch:
            working = scratch / "working"
            working.mkdir()
            before = self._file_names(directory)
            self._download(directory, before, working)
            yield working
            self._upload(working, directory)
            self._remove_files(directory, before - _names_in(working))

    def publish_directory(self, source: Path, target: PurePosixPath) -> None:
        """See :class:`Storage`."""
        before = self._file_names(target)
        # Without its manifest the old folder is no model: no reader mixes the two.
        self._remove_files(target, before & _MANIFESTS)
        self._upload(source, target)
        self._remove_files(target, before - _names_in(source) - _MANIFESTS)

    def publish_file(self, source: Path, target: PurePosixPath) -> None:
        """See :class:`Storage`."""
        self._makedirs(target.parent)
        self._fs.put_file(str(source), self._key(target))

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        """See :class:`Storage`."""
        for batch in _batches(texts, 256):
            for parent in {path.parent for path, _ in batch}:
                self._makedirs(parent)
            self._fs.pipe({self._key(path): text.encode() for path, text in batch})

    def remove(self, path: PurePosixPath) -> None:
        """See :class:`Storage`."""
        if self._fs.exists(self._key(path)):
            self._fs.rm(self._key(path), recursive=True)

    def _key(self, path: PurePosixPath) -> str:
        return f"{self._base}/{path}"

    def _makedirs(self, path: PurePosixPath) -> None:
        # Object stores have no folders, but fsspec also speaks to systems that do.
        self._fs.makedirs(self._key(path), exist_ok=True)

    def _file_names(self, directory: PurePosixPath) -> set[str]:
        # A listing cached before another worker wrote would hide what it wrote.
        self._fs.invalidate_cache()
        key = self._fs._strip_protocol(self._key(directory))  # noqa: SLF001 - how find() spells it
        if not self._fs.isdir(key):
            return set()
        return {name.removeprefix(f"{key}/") for name in self._fs.find(key)}

    def _download(self, directory: PurePosixPath, names: set[str], target: Path) -> None:
        for name in sorted(names):
            local = target / name
            local.parent.mkdir(parents=True, exist_ok=True)
            self._fs.get_file(self._key(directory / name), str(local))

    def _upload(self, source: Path, target: PurePosixPath) -> None:
        for name in sorted(_names_in(source), key=lambda name: (name in _MANIFESTS, name)):
            self._makedirs((target / name).parent)
            self._fs.put_file(str(source / name), self._key(target / name))

    def _remove_files(self, directory: PurePosixPath, names: set[str]) -> None:
        for name in sorted(names):
            self._fs.rm_file(self._key(directory / name))


def _names_in(directory: Path) -> set[str]:
    return {
        path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()
    }


def _batches(
    texts: Iterable[tuple[PurePosixPath, str]], size: int
) -> Iterator[tuple[tuple[PurePosixPath, str], ...]]:
    # itertools.batched needs Python 3.12.
    iterator = iter(texts)
    while batch := tuple(islice(iterator, size)):
        yield batch
