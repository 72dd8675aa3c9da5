"""The child's side: takes jobs one after the other and says how each ended."""

import importlib
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import socket
import threading
import traceback
from collections.abc import MutableSequence
from contextlib import suppress
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Final

from lexiclass_worker.ml import reading
from lexiclass_worker.ml.jobs import Job
from lexiclass_worker.ml.reporting import throttled
from lexiclass_worker.sandbox import frames
from lexiclass_worker.sandbox.child_logs import send_logs

# Of 1000: before the worker, Redis or PostgreSQL, which have 0, one of these is to go.
_OUT_OF_MEMORY_SCORE: Final = 500

# Their files are mapped; what they take beside, such as a list of their terms, counts as growth of
# the child, which is replaced when it has grown too much.
_KEPT_INDEXES: Final = 4

_sending: Final = threading.Lock()


def serve(
    channel: socket.socket,
    notes: MutableSequence[int],
    *,
    idle_s: float,
    model_cache_bytes: int,
    log_level: int,
) -> None:
    """Do what comes through the channel until it is closed, or nothing has come for a while.

    Args:
        channel: Its other end is the worker's.
        notes: Memory shared with the worker; see :mod:`lexiclass_worker.ml.reading`.
        idle_s: Longest wait for a job, in seconds.
        model_cache_bytes: Loaded models to keep between jobs.
        log_level: From which on lines are handed to the worker.
    """
    # What a job may start ends with it: the worker kills the group.
    os.setpgid(0, 0)
    _end_with_parent()
    _write_about_self("oom_score_adj", str(_OUT_OF_MEMORY_SCORE))
    send_logs(lambda entry: _send(channel, {"log": entry}), level=log_level)
    _models().keep_models(model_cache_bytes)
    if model_cache_bytes:
        importlib.import_module("lexiclass_worker.ml.opened_indexes").keep_indexes(_KEPT_INDEXES)
    reading.share(notes)
    while True:
        _write_about_self("comm", "lexi:idle")
        channel.settimeout(idle_s)
        try:
            data = frames.receive(channel)
        except TimeoutError:
            return
        if data is None:
            return
        channel.settimeout(None)
        _send(channel, {"begun": True})
        _send_frame(channel, _do(channel, data))


def _do(channel: socket.socket, data: bytes) -> bytes:
    """The last message about a job."""
    reading.clear()
    try:
        # Not foreign: the worker made it a moment ago.
        job: Job = ForkingPickler.loads(data)
        _write_about_self("comm", f"lexi:{type(job).__name__.removesuffix('Job')}")
        module, _, name = job.function.partition(":")
        result = getattr(importlib.import_module(module), name)(job, _Report(channel))
        return _encode({"result": result, "lookups": _models().take_lookups()})
    except (KeyboardInterrupt, SystemExit):
        raise
    # The boundary: everything is told to the parent, and what is no Exception is a panic of a
    # library written in Rust.
    except BaseException as error:  # noqa: BLE001
        from lexiclass_worker.ml.failures import describe  # noqa: PLC0415

        return _encode(
            {
                "error": describe(error).model_dump(),
                "traceback": traceback.format_exc(limit=30),
                "lookups": _models().take_lookups(),
            }
        )


class _Report:
    """What a job tells its worker, and asks of it; see :class:`lexiclass_worker.ml.reporting`."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._stage = ""
        self._tell = throttled(self._send_progress)

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        if stage != self._stage:
            reading.clear()
            self._stage = stage
        self._tell(stage, done, total)

    def _send_progress(self, stage: str, done: int, total: int, /) -> None:
        _send(self._channel, {"progress": [stage, done, total]})

    def ask_to_publish(self) -> None:
        _send(self._channel, {"asks": "publish"})
        if frames.receive(self._channel) is None:
            raise ConnectionAbortedError("the worker did not answer")


def _send(channel: socket.socket, message: dict[str, Any]) -> None:
    _send_frame(channel, _encode(message))


def _send_frame(channel: socket.socket, data: bytes) -> None:
    # A library's threads may log while the job reports.
    with _sending:
        frames.send(channel, data)


def _encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def _models() -> Any:
    # Imported in the child only: it loads NumPy.
    return importlib.import_module("lexiclass_worker.ml.models")


def _write_about_self(name: str, value: str) -> None:
    """Tell the kernel something about this process, for `ps` and the out-of-memory killer.

    Where there is no /proc, or a container does not let it be written, the work goes on without.
    """
    with suppress(OSError):
        Path("/proc/self", name).write_text(value)


def _end_with_parent() -> None:
    """End when the worker does: the fork server would keep an orphan alive."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("the sandbox runs in a child process only")
    sentinel = parent.sentinel

    def watch() -> None:
        multiprocessing.connection.wait([sentinel])
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
