"""The process that children are forked from: it has the libraries, and nothing else.

It is started with an environment of its own and one socket, over which its worker asks for
children. It ends when that socket is closed, once the last of them has.
"""

import gc
import importlib
import json
import multiprocessing
import os
import select
import signal
import socket
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from lexiclass import containment
from lexiclass_core.folders import Folder
from lexiclass_worker.sandbox import child, frames


class _Child(NamedTuple):
    """A child that has not ended.

    Attributes:
        status: Where its worker is told of it.
        lifeline: A pipe whose other end is the worker's, which ends with it.
        folder: Its temporary files and its home.
    """

    process: ForkProcess
    status: int
    lifeline: int
    folder: Path


def main(descriptor: int, modules: Iterable[str]) -> None:
    """Fork children as they are asked for.

    Args:
        descriptor: A socket whose other end is the worker's.
        modules: What children find loaded.
    """
    control = socket.socket(fileno=descriptor)
    # Ctrl-C is for the worker, which ends this process by closing the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in modules:
        importlib.import_module(name)
    containment.prepare()
    # A collection in a child would touch, and thereby copy, what all of them share.
    gc.collect()
    gc.freeze()
    with suppress(BrokenPipeError):
        frames.send(control, b"")
    deaths, wakeup = _watch_children()
    children: list[_Child] = []
    removals: list[ForkProcess] = []
    is_asked = True
    while is_asked or children:
        watched: list[Any] = [deaths, *(each.lifeline for each in children)]
        ready = connection.wait([*watched, control] if is_asked else watched)
        if deaths in ready:
            os.read(deaths, select.PIPE_BUF)
        removals = [each for each in removals if each.exitcode is None]
        for left in [each for each in children if each.lifeline in ready]:
            # It should have ended by itself, as its worker has, or has no more use for it.
            _kill(left)
        for ended in [each for each in children if _has_ended(each)]:
            children.remove(ended)
            _bury(ended)
            ours = (control.fileno(), deaths, wakeup, *_descriptors(children))
            removals += _remove(ended.folder, ours)
        if control in ready:
            is_asked = _answer(control, children, (deaths, wakeup))
    # The libraries have nothing to finish here, and would take their time for it.
    os._exit(0)


def _watch_children() -> tuple[int, int]:
    """A pipe that can be read when a child has ended.

    Not the children's own: what they start inherits these, and keeps them open.
    """
    deaths, wakeup = os.pipe()
    for each in (deaths, wakeup):
        os.set_blocking(each, False)
    signal.signal(signal.SIGCHLD, _ignore)
    signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
    return deaths, wakeup


def _ignore(number: int, frame: FrameType | None) -> None:
    """A handler: what is ignored by default wakes nobody."""


def _answer(
    control: socket.socket, children: list[_Child], descriptors_of_server: tuple[int, ...]
) -> bool:
    """Start the child that is asked for; whether there will be more."""
    try:
        request, descriptors = frames.receive_with_descriptors(control)
    except ConnectionResetError:
        return False
    if request is None:
        return False
    channel, notes, output, lifeline, status = descriptors
    try:
        folder = Path(tempfile.mkdtemp(prefix="lexi-"))
        others = (control.fileno(), status, *descriptors_of_server, *_descriptors(children))
        process = multiprocessing.get_context("fork").Process(
            target=_run_child,
            args=(json.loads(request), folder, (channel, notes, output, lifeline), others),
            name="sandbox",
            # A job may have processes of its own, which a daemon may not.
            daemon=False,
        )
        process.start()
    except OSError as error:
        _tell(status, -(error.errno or 1))
        os.close(status)
        os.close(lifeline)
    else:
        children.append(_Child(process, status, lifeline, folder))
        _tell(status, process.pid or 0)
    for each in (channel, notes, output):
        os.close(each)
    return True


def _run_child(
    request: dict[str, Any], folder: Path, ours: tuple[int, int, int, int], others: Iterable[int]
) -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for each in others:
        os.close(each)
    channel, notes, output, lifeline = ours
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    child.serve(socket.socket(fileno=channel), notes, lifeline, folder=folder, **request)


def _descriptors(children: Iterable[_Child]) -> list[int]:
    return [descriptor for each in children for descriptor in (each.status, each.lifeline)]


def _kill(left: _Child) -> None:
    """End a child and what it has started."""
    _kill_group(left)
    left.process.kill()


def _kill_group(of: _Child) -> None:
    """Kill what a child has started, before its number can be that of others."""
    assert of.process.pid is not None  # noqa: S101 - it was started
    with suppress(ProcessLookupError):
        os.killpg(of.process.pid, signal.SIGKILL)


def _has_ended(each: _Child) -> bool:
    """Whether a child has ended. Its number stays its own until it is buried.

    If multiprocessing has taken note of its end already, the number stays that of its group as long
    as anything is in it, and is free otherwise.
    """
    assert each.process.pid is not None  # noqa: S101 - it was started
    ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
    try:
        return os.waitid(os.P_PID, each.process.pid, ended) is not None
    except ChildProcessError:
        # multiprocessing asks how all children are whenever it starts one: this one just now.
        return True


def _bury(ended: _Child) -> None:
    _kill_group(ended)
    ended.process.join()
    _tell(ended.status, ended.process.exitcode or 0)
    os.close(ended.status)
    os.close(ended.lifeline)
    ended.process.close()


def _remove(folder: Path, ours: Iterable[int]) -> list[ForkProcess]:
    """Remove a child's temporary files: what it has left, in a process that may take its time."""
    with suppress(OSError):
        folder.rmdir()
        return []
    process = multiprocessing.get_context("fork").Process(target=_run_removal, args=(folder, ours))
    with suppress(OSError):
        process.start()
        return [process]
    return []


def _run_removal(folder: Path, others: Iterable[int]) -> None:
    signal.set_wakeup_fd(-1)
    for each in others:
        os.close(each)
    with Folder.open(folder.parent) as parent:
        parent.remove(folder.name)


def _tell(status: int, number: int) -> None:
    with suppress(BrokenPipeError):
        frames.write_number(status, number)
