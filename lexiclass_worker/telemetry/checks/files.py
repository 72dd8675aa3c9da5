"""Files: whether the storage and the folder for temporary files can be written, with room left."""

import asyncio
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from lexiclass_core.client.texts import open_texts
from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.documents.ownership import require_own
from lexiclass_core.file_systems import make_folder
from lexiclass_worker import preflight
from lexiclass_worker.artifacts.naming import naming
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import ConfigurationError, Settings
from lexiclass_worker.telemetry.checks.database import find_stored
from lexiclass_worker.telemetry.checks.outcome import Check, NotUsable, attempt

_TRACE: Final = ".lexiclass-check"
# An empty file can be made on a disk that is full.
_WRITTEN: Final = bytes(64 * 2**10)
_LEAST_FREE_BYTES: Final = 2**20
_FEW_FREE_BYTES: Final = 256 * 2**20


def check_storage(settings: Settings) -> Check:
    """Whether a file can be written under STORAGE__BASE_PATH, which is not another database's.

    It is made if it is not there, unless the database says that it should be.
    """
    base = settings.storage.base_path.removeprefix("file://")

    def look() -> str:
        try:
            expected, own = asyncio.run(find_stored(settings))
        except (*DATABASE_ERRORS, ConfigurationError):
            expected, own = [], None  # which another check tells
        with naming(base):
            require_own(open_texts(base), own)
        if "://" in base:
            return _write_url(base)
        _require_expected(expected, Path(base))
        return _write_below(Path(base))

    return attempt("storage", settings, look)


def check_temporary_files(settings: Settings) -> Check:
    """Whether this process can write temporary files."""

    def look() -> str:
        folder = preflight.require_temporary_folder()
        return _write(folder)

    return attempt("temporary files", settings, look)


def _require_expected(expected: list[int], directory: Path) -> None:
    """Refuse a mistyped path, or a disk that is not mounted, as workers do at their start."""
    is_there = directory.is_dir()
    if is_there and any(not entry.name.startswith(".") for entry in directory.iterdir()):
        return
    if expected:
        raise NotUsable(
            f"{directory} {'is empty' if is_there else 'does not exist'}, and the database has "
            f"projects with files, such as {expected[0]}: mount the storage, or correct "
            "STORAGE__BASE_PATH"
        )


def _write_below(directory: Path) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    return _write(directory)


def _write(directory: Path) -> str:
    with tempfile.NamedTemporaryFile(dir=directory, prefix=f"{_TRACE}-") as file:
        file.write(_WRITTEN)
        file.flush()
    free = shutil.disk_usage(directory).free
    if free < _LEAST_FREE_BYTES:
        raise NotUsable(f"{free:,} bytes are free in {directory}: make room")
    return f"{free / 2**20:.0f} MiB are free in {directory}" if free < _FEW_FREE_BYTES else ""


def _write_url(url: str) -> str:
    """Write and remove two objects; says what is refused that the worker does without."""
    # A library that is not installed raises ImportError, which says what to install.
    file_system, root = fsspec.core.url_to_fs(url)
    if isinstance(file_system, LocalFileSystem):
        return _write_below(Path(root))
    make_folder(file_system, root)
    # Of this look alone: others may look at the same moment, in containers with equal process ids.
    paths = [f"{root.rstrip('/')}/{_TRACE}-{uuid.uuid4().hex}" for _ in range(2)]
    with naming(url):
        for path in paths:
            file_system.pipe_file(path, b"")
    refusal = ""
    try:
        file_system.rm(paths)
    except Exception as error:  # noqa: BLE001 - whatever it is, the next requests tell
        refusal = (
            f"removing several objects by one request is refused ({cause_of(error)}): they are "
            "removed one by one"
        )
    file_system.invalidate_cache()
    with naming(url):
        for path in paths:
            if file_system.exists(path):
                # What is refused of one object in a list comes as a success.
                refusal = refusal or (
                    "removing several objects by one request (DeleteObjects) removes none: they "
                    "are removed one by one"
                )
                file_system.rm_file(path)
    return refusal
