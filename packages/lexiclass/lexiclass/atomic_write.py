"""Directories that appear complete or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from lexiclass.errors import InvalidParameters
from lexiclass.writing import writing


@contextmanager
def staged_directory(target: Path) -> Iterator[Path]:
    """Give a directory to write into that becomes ``target`` when the block ends well.

    It is made beside the target, flushed to disk and renamed in one step. If the block raises,
    nothing is left behind.

    Args:
        target: Must not exist, or be an empty directory.

    Raises:
        InvalidParameters: If there is something at ``target``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    staging = target.parent / f".{target.name}.{uuid4().hex}.partial"
    try:
        staging.mkdir()
        yield staging
        _sync_tree(staging)
        try:
            # Renaming onto a directory works only if that is empty, so nothing is overwritten.
            staging.rename(target)
        except OSError as error:
            if target.exists():
                raise InvalidParameters(
                    f"{str(target)!r} exists already; choose another directory or remove it.",
                    details={"path": str(target)},
                ) from error
            raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    sync(target.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old content or the new, never a part."""
    with staged_file(path, data) as staging:
        staging.replace(path)
    sync(path.parent)


@contextmanager
def staged_file(path: Path, data: bytes) -> Iterator[Path]:
    """Write a file beside its place, flushed to disk: it is gone after the block unless renamed."""
    staging = path.parent / f".{path.name}.{uuid4().hex}.partial"
    try:
        with writing(path):
            staging.write_bytes(data)
        sync(staging)
        yield staging
    finally:
        staging.unlink(missing_ok=True)


def is_staged(name: str, target: str) -> bool:
    """Whether a file is one that :func:`staged_file` has written, to become another in time."""
    return name.startswith(f".{target}.") and name.endswith(".partial")


def _sync_tree(directory: Path) -> None:
    """Flush all files and directories below and including ``directory`` to disk."""
    for path in directory.rglob("*"):
        sync(path)
    sync(directory)


def sync(path: Path) -> None:
    """Flush one file or directory to disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows can't open a directory, and keeps its entries itself
    handle = os.open(path, os.O_RDONLY)
    try:
        # Some file systems look for room only now.
        with writing(path):
            os.fsync(handle)
    finally:
        os.close(handle)
