"""Texts in a directory."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path, PurePath, PurePosixPath

from lexiclass_core.folders import Folder


class DirectoryTexts:
    """A :class:`~lexiclass_core.documents.TextStore` in a directory.

    The directory may be a link; below it none is followed, see :mod:`lexiclass_core.folders`.
    """

    def __init__(self, base_path: str | Path) -> None:
        self._base = Path(base_path).absolute()

    @property
    def root(self) -> str:
        """See :class:`TextStore`."""
        return str(self._base)

    def read_texts(self, paths: Sequence[PurePosixPath]) -> list[bytes | None]:
        """See :class:`TextStore`."""
        return [self._read_if_there(path) for path in paths]

    def read_beginning(self, path: PurePosixPath, size: int) -> bytes | None:
        """See :class:`TextReader`."""
        try:
            with self._opened(path.parent) as folder, folder.open_file(path.name) as file:
                return file.read(size)
        except FileNotFoundError:
            return None

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        """See :class:`TextStore`."""
        # Texts come by the folder.
        for parent, some in groupby(texts, key=lambda text: text[0].parent):
            with self._made(parent) as folder:
                for path, text in some:
                    folder.write(path.name, text.encode())

    def move_file(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """See :class:`TextStore`."""
        with self._opened(source.parent) as folder, self._made(target.parent) as destination:
            folder.move(source.name, destination, target.name)

    def file_sizes(self, directory: PurePosixPath) -> Mapping[str, int]:
        """See :class:`TextStore`. Regular files only."""
        try:
            folder = self._opened(directory)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        with folder:
            return {str(path): status.st_size for path, status in folder.files()}

    def remove(self, path: PurePosixPath) -> None:
        """See :class:`TextStore`."""
        with suppress(FileNotFoundError), self._opened(path.parent) as folder:
            folder.remove(path.name)

    def make_root(self) -> None:
        """Make the directory."""
        self._base.mkdir(parents=True, exist_ok=True)

    def _read_if_there(self, path: PurePosixPath) -> bytes | None:
        try:
            with self._opened(path.parent) as folder:
                return folder.read(path.name)
        except FileNotFoundError:
            return None

    def _opened(self, path: PurePath) -> Folder:
        with Folder.open(self._base) as base:
            return base.folder(path)

    def _made(self, path: PurePath) -> Folder:
        self.make_root()
        with Folder.open(self._base) as base:
            return base.folder(path, makes=True)
