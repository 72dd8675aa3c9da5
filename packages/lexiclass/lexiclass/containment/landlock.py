"""Landlock: a process gives up files, TCP and signals by itself, without any privilege.

Numbers and structures are those of linux/landlock.h; what each version (ABI) of it can do is in
https://docs.kernel.org/userspace-api/landlock.html.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from lexiclass.containment.kernel import call

# The same on all architectures.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446

_VERSION_FLAG: Final = 1
_RULE_PATH_BENEATH: Final = 1

_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIR: Final = 1 << 3
_REMOVE_DIR: Final = 1 << 4
_REMOVE_FILE: Final = 1 << 5
_MAKE_DIR: Final = 1 << 7
_MAKE_REG: Final = 1 << 8
_REFER: Final = 1 << 13
_TRUNCATE: Final = 1 << 14
_IOCTL_DEV: Final = 1 << 15

# To execute a program is among them and given nowhere, as are links, sockets, pipes and devices.
_ALL_OF_FIRST: Final = (1 << 13) - 1
_ADDED: Final = {2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}

_LIST: Final = _READ_DIR
_READ: Final = _READ_FILE | _READ_DIR
_WRITE: Final = (
    _READ | _WRITE_FILE | _TRUNCATE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _REFER
)
_USE_DEVICE: Final = _READ_FILE | _WRITE_FILE | _IOCTL_DEV
# What a rule on a file may speak of.
_OF_FILES: Final = _READ_FILE | _WRITE_FILE | _TRUNCATE | _IOCTL_DEV

_BIND_AND_CONNECT_TCP: Final = 3
_ABSTRACT_SOCKETS_AND_SIGNALS: Final = 3

LEAST_ABI: Final = 2
"""Before Linux 5.19 no file can be moved or linked between two folders, which work needs."""

PORTS_ABI: Final = 4
SIGNALS_ABI: Final = 6


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("descriptor", ctypes.c_int32))


def abi() -> int:
    """The version that this kernel offers; 0 for one that does not, or that is too old."""
    try:
        found = call("syscall", _CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError:
        return 0
    return found if found >= LEAST_ABI else 0


def restrict(
    *,
    version: int,
    listed: Iterable[str],
    read: Iterable[str],
    written: Iterable[str],
    devices: Iterable[str],
) -> None:
    """Give up all files but these, TCP, and signals to others, for this thread and what it starts.

    Folders stand for all below them; what is not there is left out.

    Raises:
        OSError: If the kernel refuses.
    """
    handled = _ALL_OF_FIRST | sum(right for least, right in _ADDED.items() if version >= least)
    rules = _Ruleset(
        files=handled,
        network=_BIND_AND_CONNECT_TCP if version >= PORTS_ABI else 0,
        scoped=_ABSTRACT_SOCKETS_AND_SIGNALS if version >= SIGNALS_ABI else 0,
    )
    size = 24 if version >= SIGNALS_ABI else 16 if version >= PORTS_ABI else 8
    ruleset = call("syscall", _CREATE_RULESET, ctypes.byref(rules), size, 0)
    try:
        given = ((listed, _LIST), (read, _READ), (written, _WRITE), (devices, _USE_DEVICE))
        for paths, rights in given:
            for path in paths:
                _allow(ruleset, path, rights & handled)
        call("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    # Not there, or of another account: nobody can read it here.
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
                rights &= _OF_FILES
            rule = _PathBeneath(allowed=rights, descriptor=descriptor)
            call("syscall", _ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0)
        finally:
            os.close(descriptor)
