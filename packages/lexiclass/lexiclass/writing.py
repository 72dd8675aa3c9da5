"""Writing files: what fails to be written fails with an OSError that names the file.

Libraries that write in other languages tell what the system said in words of their own.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from lexiclass.errors import LexiClassError

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Numbers of the errors that go away when somebody makes room."""

# Of these a library may quote the words alone.
_TOLD_BY_WORDS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG)

# How Rust shows an error of the system: https://doc.rust-lang.org/std/io/struct.Error.html
_RUST = re.compile(r"\(os error (\d+)\)")

# More than a file system keeps beside its files, so that it is asked for room.
_PROBE_BYTES = 1 << 16


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Write a file, or files in a directory, in a ``with`` block.

    Raises:
        OSError: Instead of whatever a library raises when the system refused a write.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise
    except LexiClassError:
        raise
    except Exception as error:
        number = _number_told(error) or _number_found(path)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _number_told(error: BaseException | None) -> int | None:
    """The system's error that an exception tells of, or that it was caused by."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        text = str(error)
        if told := _RUST.search(text):
            return int(told[1])
        for number in _TOLD_BY_WORDS:
            if os.strerror(number) in text:
                return number
        error = error.__cause__ or error.__context__
    return None


def _number_found(path: Path) -> int | None:
    """What the system says to one more file beside: libraries may tell nothing at all."""
    directory = path if path.is_dir() else path.parent
    probe = directory / f".probe-{uuid4().hex}.partial"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno
    finally:
        probe.unlink(missing_ok=True)
    return None
