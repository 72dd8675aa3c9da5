"""The folder of a server: of this program's account, and closed to all others."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from lexiclass_worker.embedded.errors import EmbeddedServerFailed


def close_to_others(directory: Path) -> None:
    """Make a folder, or take what others may do with it away.

    Raises:
        EmbeddedServerFailed: If it is of another account, which could change what lies in it. Root
            may use the folder of anybody.
        OSError: If it cannot be made, or its mode cannot be changed.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.stat()
    if os.geteuid() not in {0, status.st_uid}:
        raise EmbeddedServerFailed(
            f"{directory} belongs to another account (user id {status.st_uid}), which could read "
            "and change all of the server's data: choose a directory of your own"
        )
    # What the server's account needs to pass through is given to it again.
    if (mode := stat.S_IMODE(status.st_mode)) & 0o077:
        directory.chmod(mode & 0o700)


def make_private(path: Path) -> BinaryIO:
    """Make a file that only its owner may read, in the place of whatever has its name."""
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def write_private(path: Path, text: str) -> None:
    """Write such a file, which is there only once all of it is."""
    draft = path.with_name(f"{path.name}.new")
    with make_private(draft) as file:
        file.write(text.encode())
    draft.replace(path)
