"""Folders of an object store that this machine keeps copies of: models, used again and again."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from lexiclass_core.codes import ErrorCode
from lexiclass_worker.artifacts.copies import IN_THE_MAKING, locked, make_room, place_of
from lexiclass_worker.artifacts.foreign_folders import remove_folder
from lexiclass_worker.artifacts.temporary import own_temporary_directory
from lexiclass_worker.errors import StorageUnavailable, WorkerError
from lexiclass_worker.setting_groups import StorageSettings


def cache_directory(settings: StorageSettings) -> Path:
    """Where copies are kept; it is made if it is not there.

    Raises:
        StorageUnavailable: If none is set and the folder in the temporary directory belongs to
            somebody else.
        OSError: If it cannot be made.
    """
    if settings.cache_directory is not None:
        settings.cache_directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return settings.cache_directory.absolute()
    try:
        return own_temporary_directory("lexiclass-cache")
    except PermissionError as error:
        raise StorageUnavailable(
            f"{error}: set STORAGE__CACHE_DIRECTORY to a folder of your own"
        ) from error


class KeptCopies:
    """Copies of folders that never change, shared by the workers of this machine."""

    def __init__(self, settings: StorageSettings) -> None:
        self._settings = settings

    @contextmanager
    def using(
        self, label: str, key: bytes, num_bytes: int, fetch: Callable[[Path], None]
    ) -> Iterator[Path]:
        """A folder for the time of a ``with`` block, fetched if it is not there.

        One that turns out to be damaged is given up, and whoever tries again has it fetched anew.

        Another content has another ``key``; ``fetch`` brings the files to a new folder.

        Raises:
            CopyTooLarge: If it takes more than all copies may; nothing is fetched then.
            StorageUnavailable: If its content was wrong and was not fetched just now; and see
                :func:`cache_directory`.
            OSError: If it cannot be fetched.
        """
        cache = cache_directory(self._settings)
        copy = place_of(cache, label, key)
        was_there = True
        try:
            with locked(copy, fcntl.LOCK_SH) as lock:
                while not copy.is_dir():
                    was_there = False
                    fcntl.flock(lock, fcntl.LOCK_EX)
                    self._fetch(cache, copy, num_bytes, fetch)
                    # Whoever needs room may take it away in between.
                    fcntl.flock(lock, fcntl.LOCK_SH)
                yield copy
        except WorkerError as error:
            if error.code != ErrorCode.MODEL_CORRUPT:
                raise
            _give_up(copy)
            if not was_there:
                raise  # so it is in the store
            raise StorageUnavailable(
                f"this machine's copy {copy.name} is given up, for it was damaged: {error.message}",
                details=error.details,
            ) from error

    def _fetch(
        self, cache: Path, copy: Path, num_bytes: int, fetch: Callable[[Path], None]
    ) -> None:
        if copy.is_dir():
            return  # by another process, while this one waited for the lock
        make_room(cache, copy, num_bytes, self._settings.cache_bytes)
        making = copy.with_name(copy.name + IN_THE_MAKING)
        remove_folder(making)
        making.mkdir()
        try:
            fetch(making)
            _flush(making)
            making.rename(copy)
        finally:
            remove_folder(making)


def _give_up(copy: Path) -> None:
    """Remove a copy, whoever uses it: they find what is wrong as well."""
    aside = copy.with_name(f"{copy.name}-{uuid4().hex}{IN_THE_MAKING}")
    with suppress(FileNotFoundError):
        copy.rename(aside)
    remove_folder(aside)


def _flush(folder: Path) -> None:
    """Bring files to the disk: a folder with its own name is whole, whatever happens."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
