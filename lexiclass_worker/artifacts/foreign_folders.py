"""Removing folders that children of the sandbox have written to: they may hold anything."""

import os
import stat
from contextlib import suppress
from pathlib import Path, PurePath
from uuid import uuid4

from lexiclass_core.folders import Folder


def remove_folder(path: Path) -> None:
    """Remove a folder with all below it; what cannot be removed stays.

    However many levels it has: not by recursion, nor with each of them open, as shutil does it.
    What holds up its removal must not hold up whoever removes it, who has other work to do.
    """
    with suppress(OSError), Folder.open(path.parent) as parent:
        with parent.folder(PurePath(path.name)) as top:
            while _remove_a_level(top):
                pass
        os.rmdir(path.name, dir_fd=parent.descriptor)


def _remove_a_level(top: Folder) -> bool:
    """Remove files, and bring folders of folders to the top; whether anything became of it."""
    is_any = False
    for name in top.names():
        with suppress(OSError):
            if stat.S_ISDIR(top.status(name).st_mode):
                with top.folder(PurePath(name)) as inner:
                    is_any |= _empty(inner, top)
                os.rmdir(name, dir_fd=top.descriptor)
            else:
                os.unlink(name, dir_fd=top.descriptor)
            is_any = True
    return is_any


def _empty(inner: Folder, top: Folder) -> bool:
    is_any = False
    for name in inner.names():
        with suppress(OSError):
            if stat.S_ISDIR(inner.status(name).st_mode):
                inner.move(name, top, uuid4().hex)
            else:
                os.unlink(name, dir_fd=inner.descriptor)
            is_any = True
    return is_any
