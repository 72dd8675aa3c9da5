"""Copies of a process's memory that the kernel would make when it crashes."""

from __future__ import annotations

import resource
import sys
from typing import Final

# Of 1 the kernel makes no file, for it would be shorter than a page, and asks no program that
# takes dumps, which it would of 0. See do_coredump in fs/coredump.c, and core(5).
_NO_CORE: Final = 1 if sys.platform == "linux" else 0


def forbid_core_dumps() -> None:
    """Leave no core dump, in no file and with no program that takes them.

    Whoever may not raise a limit of 0 keeps that, which leaves programs.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = _NO_CORE if hard == resource.RLIM_INFINITY else min(_NO_CORE, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
