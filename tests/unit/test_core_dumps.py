"""Core dumps of processes that know passwords."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lexiclass_worker.core_dumps import forbid_core_dumps

# What the program ends with if it may not have core dumps.
NOT_ALLOWED = 77

PROGRAM = """
import os, resource, sys
_, hard = resource.getrlimit(resource.RLIMIT_CORE)
try:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
except (OSError, ValueError):
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
if 0 <= resource.getrlimit(resource.RLIMIT_CORE)[0] < resource.getpagesize():
    sys.exit(int(sys.argv[2]))
if sys.argv[1] == "forbid":
    from lexiclass_worker.core_dumps import forbid_core_dumps
    forbid_core_dumps()
os.abort()
"""


def died_with_core(directory: Path, argument: str) -> bool:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, argument, str(NOT_ALLOWED)], cwd=directory
    )
    _, status, _ = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode == NOT_ALLOWED:
        # The machine has none, or a command that another test ran in this process has lowered the
        # limit for good.
        pytest.skip("no core dumps are allowed here")
    assert process.returncode == -signal.SIGABRT
    return os.WCOREDUMP(status)


def test_a_process_that_knows_passwords_leaves_no_core(tmp_path: Path) -> None:
    assert not died_with_core(tmp_path, "forbid")

    assert list(tmp_path.iterdir()) == []
    # The same without: else this would show nothing. A program may take the dump elsewhere.
    assert died_with_core(tmp_path, "allow")


def test_a_limit_that_may_not_be_raised_is_kept() -> None:
    program = (
        "import os, resource\n"
        "from lexiclass_worker.core_dumps import forbid_core_dumps\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(61234); os.setuid(61234)\n"
        "forbid_core_dumps()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "(0, 0)", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own files")
def test_its_memory_is_closed_to_its_own_account() -> None:
    pid = os.fork()
    if pid == 0:
        forbid_core_dumps()
        os._exit(0 if Path("/proc/self/environ").stat().st_uid == 0 and _dumpable() == 0 else 1)
    assert os.waitpid(pid, 0)[1] == 0


def _dumpable() -> int:
    import ctypes

    return int(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))  # PR_GET_DUMPABLE
