"""What a process can give up, in processes of their own that do: it is for good."""

import platform
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lexiclass.containment import Protection, calls, landlock, protection, seccomp

needs_landlock = pytest.mark.skipif(not protection().landlock_abi, reason="there is no Landlock")
needs_seccomp = pytest.mark.skipif(not protection().filters_calls, reason="there is no seccomp")


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


OLDER = """
import os, socket, sys
from lexiclass.containment import landlock, privileges
privileges.forbid_new_privileges()
"localhost".encode("idna")  # loads what names of servers are read with
version, folder, port = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
landlock.restrict(
    version=version, listed=(), read=("/usr",), written=(folder + "/own",), devices=("/dev/null",),
)
def attempt(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"
print(
    attempt(lambda: open(folder + "/other/file").read()),
    attempt(lambda: open(folder + "/own/file", "w").write("x")),
    attempt(lambda: os.mkdir(folder + "/own/new")),
    attempt(lambda: os.rename(folder + "/own/file", folder + "/own/new/file")),
    attempt(lambda: open("/dev/null", "w").write("x")),
    attempt(lambda: os.truncate(folder + "/other/file", 0)),
    attempt(lambda: socket.create_connection(("127.0.0.1", port), timeout=5).close()),
    attempt(lambda: os.kill(os.getppid(), 0)),
)
"""


@needs_landlock
@pytest.mark.parametrize("version", range(landlock.LEAST_ABI, 8))
def test_what_an_older_kernel_offers_is_in_force(version: int, tmp_path: Path) -> None:
    if version > protection().landlock_abi:
        pytest.skip("this kernel is older")
    for name in ("own", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "file").write_text("of another")
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = run(OLDER, str(version), str(tmp_path), str(server.getsockname()[1])).split()

    read, write, make, move, null, truncate, connect, kill = found
    assert (read, write, make, move, null) == ("PermissionError", *["done"] * 4)
    assert truncate == ("PermissionError" if version >= 3 else "done")
    assert connect == ("PermissionError" if version >= landlock.PORTS_ABI else "done")
    assert kill == ("PermissionError" if version >= landlock.SIGNALS_ABI else "done")


@pytest.mark.parametrize(
    ("machine", "header"),
    [
        (0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        (1, "/usr/include/asm-generic/unistd.h"),
    ],
    ids=["x86_64", "aarch64"],
)
def test_the_numbers_of_system_calls_are_those_of_the_kernel(machine: int, header: str) -> None:
    if not Path(header).exists():
        pytest.skip("the kernel's headers are not installed")
    found = re.findall(r"__NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    numbers = {name: int(number) for name, number in found}
    ours = {
        **{name: known[machine] for name, known in calls.REFUSED.items()},
        "clone": calls.CLONE[machine],
        "clone3": calls.CLONE3[machine],
        "socket": calls.SOCKET[machine],
        "socketpair": calls.SOCKETPAIR[machine],
        "memfd_create": calls.MEMFD_CREATE[machine],
        "ioctl": calls.IOCTL[machine],
    }
    sending = ("sendto", "sendmsg", "sendmmsg")
    ours |= {name: known[machine] for name, (known, _) in zip(sending, calls.SENDING, strict=True)}

    # A header may be older than a call.
    wrong = {
        name: (number, numbers.get(name))
        for name, number in ours.items()
        if number != numbers.get(name) and (name in numbers or number is None or number < 440)
    }
    assert wrong == {}


@pytest.mark.parametrize("machine", [0, 1], ids=["x86_64", "aarch64"])
@pytest.mark.parametrize("allow_processes", [False, True])
def test_every_jump_of_a_filter_leads_to_an_instruction(
    machine: int, allow_processes: bool
) -> None:
    program = list(seccomp._instructions(machine, allow_processes))

    for place, instruction in enumerate(program):
        if instruction.code == seccomp._RETURN:
            continue
        for jump in (instruction.if_true, instruction.if_false):
            assert place + 1 + jump < len(program)
    assert program[-1].code == seccomp._RETURN


FOREIGN = """
import ctypes, os
from lexiclass.containment import privileges, seccomp
privileges.forbid_new_privileges()
seccomp.refuse_calls(allow_processes=True)
pid = os.fork()
if pid == 0:
    # getpid by the second table of x86.
    print(ctypes.CDLL(None, use_errno=True).syscall(0x40000000 | 39), ctypes.get_errno())
    os._exit(0)
os.waitpid(pid, 0)
"""


@needs_seccomp
@pytest.mark.skipif("x86_64" not in platform.machine(), reason="of x86-64")
def test_the_other_table_of_calls_leads_past_no_filter() -> None:
    run(FOREIGN)  # it is not killed


@pytest.mark.parametrize(
    ("offered", "enough", "says"),
    [
        (Protection(landlock_abi=7, filters_calls=True), True, ""),
        (Protection(landlock_abi=4, filters_calls=True), True, "signals"),
        (Protection(landlock_abi=0, filters_calls=True), False, "Landlock"),
        (Protection(landlock_abi=7, filters_calls=False), False, "seccomp"),
    ],
)
def test_what_a_kernel_lacks_is_said(offered: Protection, enough: bool, says: str) -> None:
    assert offered.is_enough is enough
    assert says in offered.missing
    assert bool(offered.missing) is bool(says)
