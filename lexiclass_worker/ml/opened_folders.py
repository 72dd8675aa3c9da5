"""Folders of the storage for the library, which works with paths."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexiclass import LexiClassError
from lexiclass_core.folders import Folder, open_below


@contextmanager
def stored_folder(root: str, path: Path) -> Iterator[Path]:
    """A path to a folder that stays the same one, for the time of a ``with`` block.

    Below the storage's ``root`` no link is followed; another folder is opened as it is.

    Raises:
        NotRegular: If a link lies on the way.
        OSError: If there is no such folder.
    """
    with open_below(Path(root), path) as folder, path_of(folder) as opened:
        yield opened


@contextmanager
def path_of(folder: Folder) -> Iterator[Path]:
    """See :meth:`Folder.path`; errors of the library name the folder as people know it, too."""
    with folder.path() as opened:
        try:
            yield opened
        except LexiClassError as error:
            error.message = error.message.replace(str(opened), str(folder.location))
            error.args = (error.message,)
            raise
