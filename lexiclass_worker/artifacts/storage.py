"""What services ask of a storage."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import Protocol


class NoSuchFolder(FileNotFoundError):
    """There is no such folder, in a storage that is there."""


class Publishable(Protocol):
    """What lies ready. Every method raises OSError when the storage fails."""

    def publish(self) -> None:
        """Put it in its place. What was there is kept until it is closed.

        Readers see what was there before, nothing for an instant, or all of the new; the manifest
        of a folder arrives last where folders cannot be renamed.
        """
        ...

    def withdraw(self) -> None:
        """Undo :meth:`publish`, where the storage can; nothing happens if it was not called.

        What another has put in the same place since then stays there.
        """
        ...


class Staged(Publishable, Protocol):
    """A finished file or folder that lies ready: putting it in its place takes an instant."""

    def reading(self) -> AbstractContextManager[Path]:
        """A local folder with what lies ready, read back from where it lies; to be read only."""
        ...

    def close(self) -> None:
        """Remove what was replaced, or what was never published."""
        ...


class Storage(Protocol):
    """Files under one root. Every method raises OSError when the storage fails."""

    @property
    def root(self) -> str:
        """Absolute path or URL of the root, without a trailing slash."""
        ...

    def locate(self, path: PurePosixPath) -> str:
        """Absolute path or URL of a file or folder, whether or not it exists."""
        ...

    def require_root(self) -> None:
        """See that the root is there, where it is not for tasks to make it.

        Raises:
            FileNotFoundError: If it is not: a disk that was unmounted meanwhile.
        """
        ...

    def make_root(self) -> None:
        """Make the root, where there are folders to be made."""
        ...

    def is_empty(self) -> bool:
        """Whether there is nothing in it that belongs to a project, or no root at all."""
        ...

    def is_directory(self, path: PurePosixPath) -> bool:
        """Whether there is a folder (in an object store: anything below the path)."""
        ...

    def resolve(self, path: PurePosixPath, folder: PurePosixPath) -> PurePosixPath | None:
        """Where a path leads once symbolic links are followed; None if that leaves a folder.

        What documents lie in may be a link inside the project. All else follows none.
        """
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """A local folder for work in progress, removed at the end."""
        ...

    def reading(self, directory: PurePosixPath) -> AbstractContextManager[Path]:
        """A local folder with the files of a stored one, to be read only.

        Raises:
            NoSuchFolder: If there is no such folder.
        """
        ...

    def file_sizes(self, directory: PurePosixPath) -> Mapping[str, int]:
        """Name, relative to a folder, and size in bytes of each file below it; {} without one."""
        ...

    def stage(self, source: Path, target: PurePosixPath, attempt: int = 0) -> Staged:
        """Bring a finished local file or folder near its place, complete and flushed.

        The source is in a folder of :meth:`scratch`. ``attempt`` is the lease token of who
        publishes: what earlier ones have staged for the same place is worth nothing any more once a
        later one publishes.
        """
        ...

    def read_texts(self, paths: Sequence[PurePosixPath]) -> list[bytes | None]:
        """The bytes of many small files; None for one that is not there."""
        ...

    def move_file(self, source: PurePosixPath, target: PurePosixPath) -> None:
        """Put a file in the place of another: readers of that see the old or the new one."""
        ...

    def filter_lines(self, path: PurePosixPath, keep: Callable[[bytes], bool]) -> int:
        """Keep some lines of a file: readers see the file of before, or all of the new.

        How many lines were removed is returned; the file is written only if any was.
        """
        ...

    def write_texts(self, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
        """Write many small files as UTF-8; for new files nobody reads yet."""
        ...

    def remove_abandoned(self, *, older_than_s: float, is_dry_run: bool = False) -> list[str]:
        """Remove work in progress that nothing has been written to for so long, and name it."""
        ...

    def remove(self, path: PurePosixPath) -> None:
        """Remove a file or a folder with all below it; nothing happens if there is none."""
        ...
