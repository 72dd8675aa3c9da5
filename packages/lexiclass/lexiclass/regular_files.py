"""Opening files that others could have put something else in the place of."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from lexiclass.errors import ModelCorrupt

# Without waiting: opening a FIFO does until somebody writes to it. Windows has neither.
_TO_READ = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)

# What the system says of a link that is not to be followed, and of a socket.
_NO_FILE = {errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP}


def open_regular(path: Path) -> BufferedReader:
    """Open a file to read it; the caller closes it.

    Raises:
        ModelCorrupt: If it is missing, or a link, FIFO, socket, device or directory.
        OSError: If it can't be opened for another reason.
    """
    try:
        descriptor = os.open(path, _TO_READ)
    except FileNotFoundError as error:
        raise ModelCorrupt(path.name, f"missing in {str(path.parent)!r}") from error
    except ValueError as error:  # a NUL in its name
        raise ModelCorrupt(path.name, f"no name of a file ({error})") from error
    except OSError as error:
        if error.errno not in _NO_FILE:
            raise
        raise ModelCorrupt(path.name, "not a regular file") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)  # before anything else: of a directory no file object can be made
        raise ModelCorrupt(path.name, "not a regular file")
    return os.fdopen(descriptor, "rb")


#: Longest file that is read into memory, in bytes: a vocabulary of 50 million words. What is larger
#: is mapped.
LARGEST_READ = 2**30


def read_regular(path: Path, max_bytes: int = LARGEST_READ) -> bytes:
    """Return the content of a file; see :func:`open_regular`.

    Args:
        path: Its path.
        max_bytes: Longer ones are refused, and not read further.

    Raises:
        ModelCorrupt: If it is no regular file, or too long.
        OSError: If it can't be read.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise ModelCorrupt(path.name, f"has {size} bytes, at most {max_bytes} are read")
        # It may be written to meanwhile.
        content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise ModelCorrupt(path.name, f"has grown beyond the {max_bytes} bytes that are read")
        return content
