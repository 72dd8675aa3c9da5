"""System calls by their numbers, and what of them is refused to who has no business with it.

Numbers are those of linux/audit.h and of the tables in the kernel's sources
(arch/x86/entry/syscalls/syscall_64.tbl and scripts/syscall.tbl).
"""

from __future__ import annotations

from typing import Final

#: Of the machines that are known: the names of system calls and their numbers on each.
MACHINES: Final = ("x86_64", "aarch64")
ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE: Final = (56, 220)
CLONE3: Final = (435, 435)
FORK: Final = ((57, 58), ())  # and vfork
SOCKET: Final = (41, 198)
SOCKETPAIR: Final = (53, 199)
MEMFD_CREATE: Final = (319, 279)
IOCTL: Final = (16, 29)

# TIOCSTI, TIOCSETD and TIOCLINUX: to type at the terminal that a worker was started from.
TYPING: Final = (0x5412, 0x5423, 0x541C)

#: Their first argument is a process, of which 0 is the caller: prlimit64, sched_setparam,
#: sched_setscheduler, sched_setaffinity and sched_setattr.
OF_A_PROCESS: Final = ((302, 261), (142, 118), (144, 119), (203, 122), (314, 274))

#: What sends, and which argument, counted from 0, its flags are: sendto, sendmsg and sendmmsg.
SENDING: Final = (
    ((44, 206), 3),
    ((46, 211), 2),
    ((307, 269), 3),
)

# MSG_FASTOPEN: to connect without connect, of which Landlock hears nothing.
CONNECTING: Final = 0x20000000

#: Refused always. None has no such call on a machine.
REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
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
    "mq_open": (240, 180), "mq_unlink": (241, 181),
    # Ports are given out to who listens without having bound any, and Landlock is not asked.
    "listen": (50, 201),
    # Memory that no figure of a process shows.
    "memfd_secret": (447, 447),
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


# SOCK_STREAM, among flags. A pair of datagram sockets can each be connected to another.
KIND_BITS: Final = 0xF
STREAM: Final = 1
