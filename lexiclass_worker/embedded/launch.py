"""Become a server program: switch the account, tie the life to the parent's, exec.

Run as a script, `python -I -S launch.py PARENT_PID DEATH_SIGNAL UID GID PROGRAM ARGUMENT...`, with
nothing but the standard library. A separate program rather than a `preexec_fn`, which runs Python
between fork and exec and can deadlock in a process with threads.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_KEEP_ACCOUNT = -1


def main(arguments: list[str]) -> None:
    """Replace this process by the program named in the arguments; never returns.

    Raises:
        OSError: The account can't be switched or the program can't be run.
    """
    parent_pid, death_signal, uid, gid = map(int, arguments[:4])
    command = arguments[4:]
    # A signal blocked in the thread that launched us would stay blocked in the server.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.umask(0o077)
    if uid != _KEEP_ACCOUNT:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the switch: the kernel forgets the death signal when a process changes its user.
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        raise SystemExit("the process that launched this server is gone")
    os.execv(command[0], command)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
