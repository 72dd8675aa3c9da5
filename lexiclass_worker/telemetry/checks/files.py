"""The storage: whether it does all that is asked of it, below its root alone, with room left."""

import asyncio
import errno
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from lexiclass_core.client.texts import open_texts
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.documents.ownership import require_own
from lexiclass_core.file_systems import has_folders, make_folder, naming
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.telemetry.checks.database import find_stored
from lexiclass_worker.telemetry.checks.disks import room_in
from lexiclass_worker.telemetry.checks.outcome import Finding, Look, NotUsable, checked

_TRACE: Final = ".lexiclass-check"
# An empty file can be made on a disk that is full.
_WRITTEN: Final = bytes(64 * 2**10)
_REMEDY: Final = (
    "give the worker's account the right to read, write, rename and remove there, or correct "
    "STORAGE__BASE_PATH"
)
_MOUNT: Final = (
    "mount {} for writing: mount -o remount,rw; in a container, the volume without :ro or readOnly"
)
_BUCKET_RIGHTS: Final = "give the key s3:{} below the prefix (CONNECTIONS.md)"


@checked("storage", remedy=_REMEDY)
def check_storage(settings: Settings) -> Look:
    """Whether files can be written, read, renamed, copied and removed under STORAGE__BASE_PATH.

    It is made if it is not there, unless the database says that it should be. It may not be
    another database's.
    """
    base = settings.storage.base_path.removeprefix("file://")
    try:
        expected, own = asyncio.run(find_stored(settings))
    except (*DATABASE_ERRORS, ConfigurationError):
        expected, own = [], None  # which another check tells
    with naming(base):
        require_own(open_texts(base), own)
    if "://" in base:
        return _use_url(base)
    _require_expected(expected, Path(base))
    try:
        return _use_below(Path(base))
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        # No right of an account mends it.
        raise NotUsable(cause_of(error), _MOUNT.format(_mount_point(Path(base)))) from error


def _require_expected(expected: list[int], directory: Path) -> None:
    """Refuse a mistyped path, or a disk that is not mounted, as workers do at their start."""
    is_there = directory.is_dir()
    if is_there and any(not entry.name.startswith(".") for entry in directory.iterdir()):
        return
    if expected:
        raise NotUsable(
            f"{directory} {'is empty' if is_there else 'does not exist'}, and the database has "
            f"projects with files, such as {expected[0]}",
            "mount the storage, or correct STORAGE__BASE_PATH",
        )


def _mount_point(path: Path) -> Path:
    path = path.resolve()
    return next(each for each in (path, *path.parents) if each.is_mount())


def _use_below(directory: Path) -> Look:
    """Write a file, read it, rename it over another, and remove it."""
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{_TRACE}-{uuid.uuid4().hex}"
    written, renamed = directory / name, directory / f"{name}.renamed"
    try:
        with written.open("xb") as file:
            file.write(_WRITTEN)
        renamed.touch()
        written.replace(renamed)
        found = renamed.read_bytes()
        renamed.unlink()
    except BaseException:
        for path in (written, renamed):
            with suppress(OSError):  # what went wrong before is told
                path.unlink(missing_ok=True)
        raise
    if found != _WRITTEN:
        raise NotUsable(f"{directory} gives back other bytes than were written", _REMEDY)
    return room_in(directory)


def _use_url(url: str) -> Look:
    """Write, read, copy, list and remove objects; says what is refused that nothing needs."""
    # A library that is not installed raises ImportError, which says what to install.
    file_system, root = fsspec.core.url_to_fs(url)
    if isinstance(file_system, LocalFileSystem):
        return _use_below(Path(root))
    make_folder(file_system, root)
    # Of this look alone: others may look at the same moment, in containers with equal process ids.
    folder = f"{root.rstrip('/')}/{_TRACE}-{uuid.uuid4().hex}"
    paths = [f"{folder}/written", f"{folder}/copied"]
    make_folder(file_system, folder)
    try:
        _use_objects(file_system, url, folder, *paths)
    except BaseException:
        for path in paths:
            with suppress(Exception):  # what went wrong before is told
                file_system.rm_file(path)
        raise
    look = _remove_objects(file_system, url, paths)
    if has_folders(file_system):
        file_system.rmdir(folder)
    return look


def _use_objects(file_system: Any, url: str, folder: str, written: str, copied: str) -> None:
    # Each request by the right that it needs.
    steps: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("PutObject", lambda: file_system.pipe_file(written, _WRITTEN)),
        ("GetObject", lambda: file_system.cat_file(written)),
        ("PutObject", lambda: file_system.cp_file(written, copied)),
        ("ListBucket", lambda: file_system.find(folder)),
    )
    for right, step in steps:
        file_system.invalidate_cache()
        try:
            with naming(url):
                found = step()
        except PermissionError as error:
            raise NotUsable(cause_of(error), _BUCKET_RIGHTS.format(right)) from error
        if right == "GetObject" and found != _WRITTEN:
            raise NotUsable(f"{url} gives back other bytes than were written", _REMEDY)
        if right == "ListBucket" and len(found) != 2:
            raise NotUsable(
                f"{url} lists {len(found)} of 2 objects that were written",
                _BUCKET_RIGHTS.format(right),
            )


def _remove_objects(file_system: Any, url: str, paths: list[str]) -> Look:
    """Remove objects by one request, and else one by one."""
    refusal = ""
    try:
        file_system.rm(paths)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next requests tell
        refusal = f"removing several objects by one request is refused ({cause_of(error)})"
    file_system.invalidate_cache()
    try:
        with naming(url):
            for path in paths:
                if file_system.exists(path):
                    # What is refused of one object in a list comes as a success.
                    refusal = refusal or (
                        "removing several objects by one request (DeleteObjects) removes none"
                    )
                    file_system.rm_file(path)
    except PermissionError as error:
        raise NotUsable(cause_of(error), _BUCKET_RIGHTS.format("DeleteObject")) from error
    if not refusal:
        return Look(f"objects below {url} can be written, read, copied, listed and removed")
    remedy = "nothing has to be done: they are removed one by one, which takes longer"
    return Look("", [Finding(refusal, remedy)])
