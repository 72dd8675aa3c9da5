"""What the memory of a process that knows passwords must not be copied to."""

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h

# Of 1 the kernel makes no file, for it would be shorter than a page, and asks no program that
# takes dumps, which it would of 0. See do_coredump in fs/coredump.c, and core(5).
_NO_CORE: Final = 1


def forbid_core_dumps() -> None:
    """Leave no core dump of this process, and let no other of its account look into it.

    On Linux its memory, its environment and its open files under /proc are root's alone from then
    on. What it runs has no core dumps either; see prctl(2) for what else is handed down.
    """
    limit = _NO_CORE if sys.platform == "linux" else 0
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
