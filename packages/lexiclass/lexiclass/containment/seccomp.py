"""A filter of system calls: no network, no other program, no look into other processes.

What is refused fails with "Operation not permitted", as it does for an account without rights:
libraries are used to that. The filter is a program for the kernel's packet filter; see seccomp(2)
and linux/filter.h.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple

from lexiclass.containment import calls
from lexiclass.containment.kernel import control_process

_PR_SET_SECCOMP: Final = 22
_PR_GET_SECCOMP: Final = 21
_MODE_FILTER: Final = 2

_KILL_PROCESS: Final = 0x80000000
_FAIL_WITH: Final = 0x00050000
_ALLOW: Final = 0x7FFF0000

# BPF_LD | BPF_W | BPF_ABS, BPF_ALU | BPF_AND | BPF_K, BPF_JMP | BPF_{JEQ,JGE,JSET} | BPF_K,
# BPF_RET | BPF_K
_LOAD: Final = 0x20
_KEEP_BITS: Final = 0x54
_IF_EQUAL: Final = 0x15
_IF_AT_LEAST: Final = 0x35
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06

# Places in struct seccomp_data; of a 64-bit argument the lower half comes first.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_ARGUMENTS: Final = (16, 24, 32, 40)

# All of x86's second table, of 32-bit pointers in 64-bit programs, is above.
_X32: Final = 0x40000000

# CLONE_THREAD
_THREAD: Final = 0x10000

# CLONE_NEW*, of which a user namespace brings privileges.
_NEW_NAMESPACES: Final = 0x7E020000


class _Instruction(NamedTuple):
    code: int
    value: int
    if_true: int = 0
    if_false: int = 0


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter)))


def is_available() -> bool:
    """Whether this kernel filters system calls, of a machine whose numbers are known."""
    if platform.machine() not in calls.MACHINES:
        return False
    try:
        control_process(_PR_GET_SECCOMP)
    except OSError:
        return False
    return True


def refuse_calls(*, allow_processes: bool) -> None:
    """Have calls refused to this thread and what it starts; it may have no new privileges by now.

    Raises:
        OSError: If the kernel refuses.
    """
    machine = calls.MACHINES.index(platform.machine())
    instructions = list(_instructions(machine, allow_processes))
    filters = (_Filter * len(instructions))(
        *(_Filter(each.code, each.if_true, each.if_false, each.value) for each in instructions)
    )
    program = _Program(len(instructions), filters)
    control_process(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))


def _instructions(
    machine: int,
    allow_processes: bool,  # noqa: FBT001 - as its one caller has it
) -> Iterator[_Instruction]:
    refused = _Instruction(_RETURN, _FAIL_WITH | errno.EPERM)
    # Libraries do without it then. The flags of clone3 lie in memory, which a filter cannot read;
    # what a process keeps in files that are memory (memfd_create) no figure of it shows.
    unknown = _Instruction(_RETURN, _FAIL_WITH | errno.ENOSYS)
    allowed = _Instruction(_RETURN, _ALLOW)

    yield _Instruction(_LOAD, _ARCHITECTURE)
    yield _Instruction(_IF_EQUAL, calls.ARCHITECTURES[calls.MACHINES[machine]], if_true=1)
    yield _Instruction(_RETURN, _KILL_PROCESS)
    yield _Instruction(_LOAD, _NUMBER)
    yield _Instruction(_IF_AT_LEAST, _X32, if_false=1)
    yield unknown
    for missing in (calls.CLONE3, calls.MEMFD_CREATE):
        yield _Instruction(_IF_EQUAL, missing[machine], if_false=1)
        yield unknown
    for numbers in calls.REFUSED.values():
        if (number := numbers[machine]) is not None:
            yield _Instruction(_IF_EQUAL, number, if_false=1)
            yield refused
    for number in () if allow_processes else calls.FORK[machine]:
        yield _Instruction(_IF_EQUAL, number, if_false=1)
        yield refused
    yield _Instruction(_IF_EQUAL, calls.CLONE[machine], if_false=6)
    yield _Instruction(_LOAD, _ARGUMENTS[0])
    yield _Instruction(_IF_ANY_BIT, _NEW_NAMESPACES, if_false=1)
    yield refused
    yield _Instruction(_IF_ANY_BIT, _THREAD, if_true=1)
    yield allowed if allow_processes else refused
    yield allowed
    for numbers in calls.OF_A_PROCESS:
        yield _Instruction(_IF_EQUAL, numbers[machine], if_false=4)
        yield _Instruction(_LOAD, _ARGUMENTS[0])
        yield _Instruction(_IF_EQUAL, 0, if_true=1)
        yield refused
        yield allowed
    yield _Instruction(_IF_EQUAL, calls.IOCTL[machine], if_false=2 + 2 * len(calls.TYPING))
    yield _Instruction(_LOAD, _ARGUMENTS[1])
    for request in calls.TYPING:
        yield _Instruction(_IF_EQUAL, request, if_false=1)
        yield refused
    yield allowed
    for call, flags in calls.SENDING:
        yield _Instruction(_IF_EQUAL, call[machine], if_false=4)
        yield _Instruction(_LOAD, _ARGUMENTS[flags])
        yield _Instruction(_IF_ANY_BIT, calls.CONNECTING, if_false=1)
        yield refused
        yield allowed
    yield from _sockets(machine, refused)
    yield allowed


def _sockets(machine: int, refused: _Instruction) -> Iterator[_Instruction]:
    yield _Instruction(_IF_EQUAL, calls.SOCKET[machine], if_false=1)
    yield refused
    # Pairs of streams stay as they are joined: processes that share work talk by them.
    yield _Instruction(_IF_EQUAL, calls.SOCKETPAIR[machine], if_false=7)
    yield _Instruction(_LOAD, _ARGUMENTS[0])
    yield _Instruction(_IF_EQUAL, socket.AF_UNIX, if_true=1)
    yield refused
    yield _Instruction(_LOAD, _ARGUMENTS[1])
    yield _Instruction(_KEEP_BITS, calls.KIND_BITS)
    yield _Instruction(_IF_EQUAL, calls.STREAM, if_true=1)
    yield refused
