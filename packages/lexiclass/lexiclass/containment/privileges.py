"""Privileges that a process gives up for good."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from typing import Final

from lexiclass.containment.kernel import call, control_process

_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAPBSET_DROP: Final = 24
_PR_CAP_AMBIENT: Final = 47
_CLEAR_ALL: Final = 4

# linux/capability.h
_CAPABILITY_VERSION: Final = 0x20080522
_LAST_CAPABILITY: Final = 63

# CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER: root reads and writes the files of other
# accounts, such as documents that an API has written. Which ones is for Landlock to say.
_KEPT: Final = (1 << 1) | (1 << 2) | (1 << 3)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def forbid_new_privileges() -> None:
    """See that no program gains any, by its owner or by its capabilities.

    Raises:
        OSError: If the kernel refuses.
    """
    control_process(_PR_SET_NO_NEW_PRIVS, 1)


def drop_capabilities() -> None:
    """Give up what root may beyond others, but for files of other accounts.

    Raises:
        OSError: If the kernel refuses.
    """
    for capability in range(_LAST_CAPABILITY + 1):
        # Who has none may not drop one, and kernels know different numbers of them.
        with suppress(OSError):
            control_process(_PR_CAPBSET_DROP, capability)
    with suppress(OSError):
        control_process(_PR_CAP_AMBIENT, _CLEAR_ALL)
    header = _Header(_CAPABILITY_VERSION, 0)
    held, kept = (_Sets * 2)(), (_Sets * 2)()
    call("capget", ctypes.byref(header), ctypes.byref(held))
    kept[0].permitted = held[0].permitted & _KEPT
    kept[0].effective = held[0].effective & _KEPT
    call("capset", ctypes.byref(header), ctypes.byref(kept))
