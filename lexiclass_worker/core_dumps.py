"""What the memory of a process that knows passwords must not be copied to."""

import ctypes
import sys
from typing import Final

from lexiclass import core_dumps

_PR_SET_DUMPABLE: Final = 4  # linux/prctl.h


def forbid_core_dumps() -> None:
    """Leave no core dump of this process, and let no other of its account look into it.

    On Linux its memory, its environment and its open files under /proc are root's alone from then
    on. What it runs has no core dumps either; see prctl(2) for what else is handed down.
    """
    core_dumps.forbid_core_dumps()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
