"""A filter of system calls: no network, no other program, no look into other processes.

What is refused fails with "Operation not permitted", as it does for an account without rights:
libraries are used to that. The filter is a program for the kernel's packet filter; see seccomp(2),
linux/filter.h and linux/audit.h, and the tables of system calls in the kernel's sources
(arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
from collections.abc import Iterator
from typing import Final, NamedTuple

from lexiclass.containment.kernel import control_process

_PR_SET_SECCOMP: Final = 22
_PR_GET_SECCOMP: Final = 21
_MODE_FILTER: Final = 2

_KILL_PROCESS: Final = 0x80000000
_FAIL_WITH: Final = 0x00050000
_ALLOW: Final = 0x7FFF0000

# BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_{JEQ,JGE,JSET} | BPF_K, BPF_RET | BPF_K
_LOAD: Final = 0x20
_IF_EQUAL: Final = 0x15
_IF_AT_LEAST: Final = 0x35
_IF_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06

# Places in struct seccomp_data; of a 64-bit argument the lower half comes first.
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4
_FIRST_ARGUMENT: Final = 16
_SECOND_ARGUMENT: Final = 24

# All of x86's second table, of 32-bit pointers in 64-bit programs, is above.
_X32: Final = 0x40000000

# CLONE_THREAD
_THREAD: Final = 0x10000

# CLONE_NEW*, of which a user namespace brings privileges.
_NEW_NAMESPACES: Final = 0x7E020000

#: Of the machines that are known: the names of system calls and their numbers on each.
_MACHINES: Final = ("x86_64", "aarch64")
_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_FORK: Final = ((57, 58), ())  # and vfork
_SOCKET: Final = (41, 198)
_IOCTL: Final = (16, 29)

# TIOCSTI, TIOCSETD and TIOCLINUX: to type at the terminal that a worker was started from.
_TYPING: Final = (0x5412, 0x5423, 0x541C)

#: Their first argument is a process, of which 0 is the caller: prlimit64, sched_setparam,
#: sched_setscheduler, sched_setaffinity and sched_setattr.
_OF_A_PROCESS: Final = ((302, 261), (142, 118), (144, 119), (203, 122), (314, 274))

#: Refused always. None has no such call on a machine.
_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    # Other programs.
    "execve": (59, 221), "execveat": (322, 281),
    # Other processes.
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438), "kcmp": (312, 272),
    # Priorities of others, and what processes of an account share by a number.
    "setpriority": (141, 140), "ioprio_set": (251, 30),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    # What happens in folders that may not be listed.
    "inotify_init": (253, None), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
    # To leave the process group, by which the worker ends all that a job has started.
    "setsid": (112, 157), "setpgid": (109, 154),
    # Owners, rights and attributes of files, which Landlock has no say in.
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
    "chown": (92, None), "lchown": (94, None), "fchown": (93, 55), "fchownat": (260, 54),
    "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16),
    "setxattrat": (463, 463), "removexattrat": (466, 466), "file_setattr": (469, 469),
    # Rings, whose requests no filter sees, and files by handles, which have no path.
    "io_uring_setup": (425, 425), "open_by_handle_at": (304, 265),
    # Namespaces and mounts.
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    # Parts of the kernel that data have no business with.
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "reboot": (169, 142),
    "swapon": (167, 224), "swapoff": (168, 225), "syslog": (103, 116), "acct": (163, 89),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161), "setdomainname": (171, 162), "quotactl": (179, 60),
    "iopl": (172, None), "ioperm": (173, None),
}  # fmt: skip

_AF_NETLINK: Final = 16  # by which glibc asks for the machine's own addresses

#: Families of sockets that servers are reached by.
_NETWORK: Final = (socket.AF_INET, socket.AF_INET6, _AF_NETLINK)


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
    if platform.machine() not in _MACHINES:
        return False
    try:
        control_process(_PR_GET_SECCOMP)
    except OSError:
        return False
    return True


def refuse_calls(*, allow_network: bool, allow_processes: bool) -> None:
    """Have calls refused to this thread and what it starts; it may have no new privileges by now.

    Args:
        allow_network: Whether sockets of the network can be made.
        allow_processes: Whether it can be forked.

    Raises:
        OSError: If the kernel refuses.
    """
    machine = _MACHINES.index(platform.machine())
    instructions = list(_instructions(machine, allow_network, allow_processes))
    filters = (_Filter * len(instructions))(
        *(_Filter(each.code, each.if_true, each.if_false, each.value) for each in instructions)
    )
    program = _Program(len(instructions), filters)
    control_process(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program))


def _instructions(
    machine: int,
    allow_network: bool,  # noqa: FBT001 - as its one caller has it
    allow_processes: bool,  # noqa: FBT001
) -> Iterator[_Instruction]:
    refused = _Instruction(_RETURN, _FAIL_WITH | errno.EPERM)
    # glibc does without it then; its flags lie in memory, which a filter cannot read.
    unknown = _Instruction(_RETURN, _FAIL_WITH | errno.ENOSYS)
    allowed = _Instruction(_RETURN, _ALLOW)

    yield _Instruction(_LOAD, _ARCHITECTURE)
    yield _Instruction(_IF_EQUAL, _ARCHITECTURES[_MACHINES[machine]], if_true=1)
    yield _Instruction(_RETURN, _KILL_PROCESS)
    yield _Instruction(_LOAD, _NUMBER)
    yield _Instruction(_IF_AT_LEAST, _X32, if_false=1)
    yield unknown
    yield _Instruction(_IF_EQUAL, _CLONE3[machine], if_false=1)
    yield unknown
    for numbers in _REFUSED.values():
        if (number := numbers[machine]) is not None:
            yield _Instruction(_IF_EQUAL, number, if_false=1)
            yield refused
    for number in () if allow_processes else _FORK[machine]:
        yield _Instruction(_IF_EQUAL, number, if_false=1)
        yield refused
    yield _Instruction(_IF_EQUAL, _CLONE[machine], if_false=6)
    yield _Instruction(_LOAD, _FIRST_ARGUMENT)
    yield _Instruction(_IF_ANY_BIT, _NEW_NAMESPACES, if_false=1)
    yield refused
    yield _Instruction(_IF_ANY_BIT, _THREAD, if_true=1)
    yield allowed if allow_processes else refused
    yield allowed
    for numbers in _OF_A_PROCESS:
        yield _Instruction(_IF_EQUAL, numbers[machine], if_false=4)
        yield _Instruction(_LOAD, _FIRST_ARGUMENT)
        yield _Instruction(_IF_EQUAL, 0, if_true=1)
        yield refused
        yield allowed
    yield _Instruction(_IF_EQUAL, _IOCTL[machine], if_false=2 + 2 * len(_TYPING))
    yield _Instruction(_LOAD, _SECOND_ARGUMENT)
    for request in _TYPING:
        yield _Instruction(_IF_EQUAL, request, if_false=1)
        yield refused
    yield allowed
    families = _NETWORK if allow_network else ()
    yield _Instruction(_IF_EQUAL, _SOCKET[machine], if_false=2 + 2 * len(families))
    yield _Instruction(_LOAD, _FIRST_ARGUMENT)
    for family in families:
        yield _Instruction(_IF_EQUAL, family, if_false=1)
        yield allowed
    yield refused
    yield allowed
