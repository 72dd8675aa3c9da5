"""System calls that the standard library has no function for."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Final

_libc: Final = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> int:
    """Make a system call, by the C library's function for it, and return its result.

    Raises:
        OSError: If it fails.
    """
    result: int = getattr(_libc, name)(*map(_as_word, arguments))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def control_process(option: int, *arguments: Any) -> int:
    """See prctl(2).

    Raises:
        OSError: If it fails.
    """
    return call("prctl", option, *(*arguments, 0, 0, 0, 0)[:4])


def _as_word(value: Any) -> Any:
    return ctypes.c_ulong(value) if isinstance(value, int) else value
