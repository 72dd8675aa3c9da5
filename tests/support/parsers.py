"""Parsers that behave badly, for the process that is to bound them."""

import ctypes
import os
import signal
import socket
import subprocess
from pathlib import Path

from lexiclass.extraction.content import ExtractedText

_kept: list[bytearray] = []


def read(data: bytes) -> ExtractedText:
    return ExtractedText(data.decode())


def spin(data: bytes) -> ExtractedText:
    while True:
        pass


def sleep(data: bytes) -> ExtractedText:
    signal.pause()
    return ExtractedText("")


def allocate(data: bytes) -> ExtractedText:
    return ExtractedText(str(len(bytearray(2**32))))


def answer_with_too_much(data: bytes) -> ExtractedText:
    return ExtractedText("\N{SNOWMAN}" * 2**25)


def grow(data: bytes) -> ExtractedText:
    _kept.append(bytearray(2**27))
    return ExtractedText(str(os.getpid()))


def die(data: bytes) -> ExtractedText:
    os.kill(os.getpid(), signal.SIGSEGV)
    return ExtractedText("")


def recurse(data: bytes) -> ExtractedText:
    return recurse(data)


def write_much(data: bytes) -> ExtractedText:
    return ExtractedText("x" * 2**20)


def print_much(data: bytes) -> ExtractedText:
    print(  # noqa: T201
        "a parser may print what it likes" * 10_000
    )
    return ExtractedText("printed")


def connect(data: bytes) -> ExtractedText:
    socket.create_connection(("127.0.0.1", int(data)))
    return ExtractedText("connected")


def start(data: bytes) -> ExtractedText:
    subprocess.run(["true"], check=True)
    return ExtractedText("started")


def write_file(data: bytes) -> ExtractedText:
    Path(data.decode()).write_text("written")
    return ExtractedText("written")


def environment(data: bytes) -> ExtractedText:
    return ExtractedText(" ".join(["environment", *sorted(os.environ)]))


def try_past_python(data: bytes) -> ExtractedText:
    """What native code could do, which no audit hook of Python sees."""
    library = ctypes.CDLL(None, use_errno=True)
    path = ctypes.create_string_buffer(data)
    came = {
        "read": library.open(path, os.O_RDONLY),
        "write": library.open(path, os.O_WRONLY),
        "make": library.open(ctypes.create_string_buffer(data + b"-new"), os.O_CREAT | 2, 0o600),
        "passwd": library.open(b"/etc/passwd", os.O_RDONLY),
        "socket": library.socket(socket.AF_INET, socket.SOCK_STREAM, 0),
        "fork": library.fork(),
        "execute": library.execve(b"/bin/true", None, None),
        "kill": library.kill(os.getppid(), 0),
        "library": library.open(os.fsencode(os.__file__), os.O_RDONLY),
    }
    return ExtractedText(" ".join(name for name, result in came.items() if result >= 0))
