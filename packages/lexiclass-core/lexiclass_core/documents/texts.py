"""Where texts lie, and what is asked of that place."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Protocol

from lexiclass_core import layout


class TextStore(Protocol):
    """A storage, as far as adding documents needs it. Every method raises OSError if it fails.

    Paths are those of :mod:`lexiclass_core.layout`. The worker's Storage is one, and so is
    :func:`~lexiclass_core.client.open_texts` opens one.
    """

    @property
    def root(self) -> str:
        """Absolute path or URL of the root, without a trailing slash."""

    def read_texts(self, paths: Sequence[PurePosixPath]) -> list[bytes | None]:
        """The bytes of files; None for one that is not there."""

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        """Write files that nobody reads yet, as UTF-8."""

    def move_file(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """Put a file in the place of another: readers of that see the old or the new one."""

    def file_sizes(self, directory: PurePosixPath) -> Mapping[str, int]:
        """Names, relative to a folder, and bytes of all files below it; empty without one."""

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file or a folder with all below it; nothing happens if there is none."""


class TextReader(Protocol):
    """A storage, as far as showing a text needs it."""

    @property
    def root(self) -> str:
        """See :class:`TextStore`."""

    def read_beginning(self, path: PurePosixPath, size: int) -> bytes | None:
        """The first bytes of a file; None if it is not there. Raises OSError if that fails."""


def path_of(
    texts: TextReader | TextStore, project_id: int, document_id: int, content_path: str | None
) -> PurePosixPath | None:
    """Where a document's text lies; None if its row leads out of its project."""
    if not content_path:
        return layout.document_path(project_id, document_id)
    try:
        return layout.inside_project(project_id, content_path, base_path=texts.root)
    except layout.PathOutsideProjectError:
        return None
