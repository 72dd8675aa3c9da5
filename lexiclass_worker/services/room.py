"""Room for work in progress: looked for before hours are spent on what could not be written."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from errno import ENOSPC
from os import strerror
from pathlib import Path
from typing import Any

from lexiclass_worker.errors import StorageUnavailable, WorkerError, translate
from lexiclass_worker.execution.context import TaskContext
from lexiclass_worker.execution.retry_policy import is_full_disk


@contextmanager
def working_folder(task: TaskContext, *, expected_bytes: int = 0) -> Iterator[Path]:
    """A folder for work in progress, for the time of a ``with`` block; see Storage.scratch.

    An attempt that finds the disk full notes how much room it had. The next one does not begin
    before there is more. What it had is known no better than by a look once it has failed, when
    others that ran out of room with it may have made some: now and then it begins all the same,
    and counts as no attempt if the disk is full again.

    It takes ``expected_bytes`` at least, as far as can be told before.

    Raises:
        StorageUnavailable: If there is less than the work takes, which is not begun then; or the
            storage fails.
    """
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(task.storage.scratch())
        except OSError as error:
            failure = translate(error)
            if is_full_disk(failure):
                raise StorageUnavailable(
                    failure.message, details=failure.details, is_begun=False
                ) from error
            raise
        is_tried = _require_room(task, folder, expected_bytes)
        try:
            yield folder
        except WorkerError as failure:
            _note_room(failure, folder, is_tried=is_tried)
            raise
        except OSError as error:
            translated = translate(error)
            _note_room(translated, folder, is_tried=is_tried)
            raise translated from error


def _note_room(failure: WorkerError, folder: Path, *, is_tried: bool) -> None:
    if is_full_disk(failure):
        failure.details["room_bytes"] = _free(folder) + _size(folder)
        if is_tried and isinstance(failure, StorageUnavailable):
            failure.is_begun = False


def _require_room(task: TaskContext, folder: Path, expected_bytes: int) -> bool:
    """Compare what is free with what the attempt before had, and with what is expected.

    Returns:
        Whether this attempt only tries whether there is room by now, having no more than before.
    """
    free = _free(folder)
    is_tried = False
    details: dict[str, Any] = {"errno": ENOSPC, "path": str(folder.parent), "free_bytes": free}
    before = task.before
    if before is not None and is_full_disk(before):
        had = int(before.details.get("room_bytes") or 0)
        looks = int(before.details.get("looks") or 0)
        # Less than a block is no difference.
        has_no_more = free < had + _BLOCK_BYTES
        is_tried = has_no_more and looks >= _LOOKS
        if has_no_more and not is_tried:
            raise StorageUnavailable(
                f"{strerror(ENOSPC)}: {folder.parent}: {free} bytes are free, and with {had} "
                "the attempt before this one was not done: make room, this one was not begun",
                details={**details, "room_bytes": had, "looks": looks + 1},
                is_begun=False,
            )
    if free < expected_bytes:
        raise StorageUnavailable(
            f"{strerror(ENOSPC)}: {folder.parent}: {free} bytes are free, and about "
            f"{expected_bytes} are needed, half of what the version that serves takes: make room",
            details={**details, "room_bytes": expected_bytes - _BLOCK_BYTES},
            is_begun=False,
        )
    return is_tried


# Looks that find no more room, between an attempt and one that is made all the same: an hour or
# more, by default.
_LOOKS = 5

_BLOCK_BYTES = 4096


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _size(folder: Path) -> int:
    """Bytes that the files below a folder take on the disk."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
