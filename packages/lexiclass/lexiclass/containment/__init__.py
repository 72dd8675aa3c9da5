"""A process gives up what it has no use for, before it reads foreign bytes.

:func:`contain` leaves it the files of its work and of Python's libraries, by Landlock; no network,
no other program and no other process, by a filter of system calls; no privilege; no core dump. All
of that is for good, and for what the process starts. It needs no rights, so it holds in a container
as for any account. Where the kernel lacks a part, :func:`protection` says which.

The standard library alone is imported here, for the parent of such a process asks, too.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from lexiclass.containment import landlock, privileges, reach, seccomp
from lexiclass.containment.reach import Reach
from lexiclass.core_dumps import forbid_core_dumps


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """What a kernel offers.

    Attributes:
        landlock_abi: The version of Landlock; 0 for none.
        filters_calls: Whether system calls can be refused.
    """

    landlock_abi: int
    filters_calls: bool

    @property
    def is_enough(self) -> bool:
        """Whether files, network and other programs are closed."""
        return self.landlock_abi > 0 and self.filters_calls

    @property
    def missing(self) -> str:
        """What it does not offer, and what would; empty if nothing is missing."""
        lacks = []
        if sys.platform != "linux":
            return "files, network and other processes are not closed: that needs Linux"
        if not self.landlock_abi:
            lacks.append("files are not closed: that needs Landlock (Linux 5.19, enabled at boot)")
        elif self.landlock_abi < landlock.SIGNALS_ABI:
            lacks.append("signals reach other processes of the account: Linux 6.12 prevents it")
        if not self.filters_calls:
            lacks.append(
                "network and other programs are not closed: that needs seccomp, on x86-64 or ARM64"
            )
        return "; ".join(lacks)

    def __str__(self) -> str:
        """What is in force in a process that is contained."""
        parts = []
        if self.landlock_abi:
            parts.append(f"files of its work only (Landlock ABI {self.landlock_abi})")
        if self.landlock_abi >= landlock.SIGNALS_ABI:
            parts.append("no signals to others")
        if self.filters_calls:
            parts.append("no network and no other programs (seccomp)")
        if sys.platform == "linux":
            parts.append("no new privileges")
        return ", ".join([*parts, "no core dumps"])


def protection() -> Protection:
    """What this kernel offers; nothing is changed."""
    if sys.platform != "linux":
        return Protection(landlock_abi=0, filters_calls=False)
    return Protection(landlock_abi=landlock.abi(), filters_calls=seccomp.is_available())


def prepare() -> None:
    """Look at the machine, in a process whose forked children are to be contained."""
    reach.listed_by_python()
    reach.read_by_python()
    reach.devices()


def contain(within: Reach) -> None:
    """Leave this thread, and all it starts from now on, what is given and what Python needs.

    Call it while the process has one thread.

    Raises:
        OSError: If the kernel refuses what it offers.
    """
    forbid_core_dumps()
    if sys.platform != "linux":
        return
    offered = protection()
    privileges.forbid_new_privileges()
    privileges.drop_capabilities()
    if offered.landlock_abi:
        landlock.restrict(
            version=offered.landlock_abi,
            listed=reach.listed_by_python(),
            read=(
                *reach.read_by_python(),
                f"/proc/{os.getpid()}",
                *within.reads,
            ),
            written=within.writes,
            devices=(*reach.devices(), *within.devices),
        )
    if offered.filters_calls:
        seccomp.refuse_calls(allow_processes=within.has_processes)


__all__ = ["Protection", "Reach", "contain", "prepare", "protection"]
