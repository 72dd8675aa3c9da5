"""The child's side: takes jobs one after the other and says how each ended."""

import ctypes
import importlib
import json
import multiprocessing.connection
import os
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any, Final

from lexiclass.containment import Reach, contain
from lexiclass_core.folders import Folder
from lexiclass_worker.config import set_process_variable
from lexiclass_worker.jobs.job import Job
from lexiclass_worker.jobs.supervision import Publication
from lexiclass_worker.ml import crash_notes, objects, outputs
from lexiclass_worker.ml.reporting import throttle
from lexiclass_worker.sandbox import frames
from lexiclass_worker.sandbox.child_logs import send_logs
from lexiclass_worker.sandbox.notes import map_notes

# Of 1000: before the worker, Redis or PostgreSQL, which have 0, one of these is to go.
_OUT_OF_MEMORY_SCORE: Final = 500

_PR_SET_NAME: Final = 15  # linux/prctl.h

# Their files are mapped; what they take beside, such as a list of their terms, counts as growth of
# the child, which is replaced when it has grown too much.
_KEPT_INDEXES: Final = 4

_sending: Final = threading.Lock()


def serve(
    channel: socket.socket,
    notes: int,
    lifeline: int,
    *,
    folder: Path,
    reach: Mapping[str, Any] | None,
    root: str,
    idle_s: float,
    model_cache_bytes: int,
    log_level: int,
) -> None:
    """Do what comes through the channel until it is closed, or nothing has come for a while.

    Args:
        channel: Its other end is the worker's.
        notes: Memory shared with the worker; see :mod:`lexiclass_worker.ml.crash_notes`.
        lifeline: A pipe whose other end is the worker's, which ends with it.
        folder: For temporary files, and what libraries take for a home.
        reach: Fields of :class:`lexiclass.containment.Reach`; None for no containment.
        root: Of a storage that is a directory; see :class:`lexiclass_worker.jobs.job.Access`.
        idle_s: Longest wait for a further job, in seconds.
        model_cache_bytes: Loaded models to keep between jobs.
        log_level: From which on lines are handed to the worker.
    """
    # What a job may start ends with it: the worker kills the group.
    os.setpgid(0, 0)
    _write_about_self("oom_score_adj", str(_OUT_OF_MEMORY_SCORE))
    _settle_in(folder)
    shared = map_notes(notes)
    _contain(reach, folder, Path(root))
    _end_with(lifeline)
    send_logs(lambda entry: _send(channel, {"log": entry}), level=log_level)
    _models().keep_models(model_cache_bytes)
    if model_cache_bytes:
        importlib.import_module("lexiclass_worker.ml.opened_indexes").keep_indexes(_KEPT_INDEXES)
    crash_notes.share(shared)
    longest_wait_s: float | None = None  # the first job is on its way, however busy the machine
    while True:
        _show_name("lexi:idle")
        channel.settimeout(longest_wait_s)
        try:
            data, descriptors = frames.receive_with_descriptors(channel)
        except TimeoutError:
            return
        if data is None:
            return
        channel.settimeout(None)
        _send(channel, {"begun": True})
        _send_frame(channel, _do(channel, data, descriptors))
        longest_wait_s = idle_s


def _do(channel: socket.socket, data: bytes, descriptors: Sequence[int]) -> bytes:
    """The last message about a job."""
    crash_notes.clear()
    try:
        # Not foreign: the worker made it a moment ago.
        job: Job = ForkingPickler.loads(data)
        written = job.access.outputs
        outputs.share(dict(zip(written, descriptors, strict=False)))
        # One more leads to the object store, where the project has one.
        objects.share(next(iter(descriptors[len(written) :]), None))
        _show_name(f"lexi:{type(job).__name__.removesuffix('Job')}")
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
        self._tell = throttle(self._send_progress)

    def __call__(self, stage: str, done: int, total: int, /) -> None:
        if stage != self._stage:
            crash_notes.clear()
            self._stage = stage
        self._tell(stage, done, total)

    def _send_progress(self, stage: str, done: int, total: int, /) -> None:
        _send(self._channel, {"progress": [stage, done, total]})

    def ask_to_publish(self, publication: Publication | None = None, /) -> None:
        self._ask({"publish": None if publication is None else asdict(publication)})

    def ask_for_digests(self, name: str, /) -> Sequence[str] | None:
        digests: list[str] | None = self._ask({"digests": name})
        return digests

    def _ask(self, question: dict[str, Any]) -> Any:
        _send(self._channel, {"asks": question})
        answer = frames.receive(self._channel)
        if answer is None:
            raise ConnectionAbortedError("the worker did not answer")
        return json.loads(answer)


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
    return importlib.import_module("lexiclass_worker.ml.loaded_models")


def _settle_in(folder: Path) -> None:
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        set_process_variable(name, str(folder))
    tempfile.tempdir = None  # found anew


def _contain(reach: Mapping[str, Any] | None, folder: Path, root: Path) -> None:
    """Give up what the jobs to come have no use for."""
    if reach is None:
        return
    within = Reach(**{name: _as_tuple(value) for name, value in reach.items()})
    for path in map(Path, within.writes):
        # What cannot be made the job tells when it needs it.
        with suppress(OSError):
            if path.is_relative_to(root):
                Folder.open(root).folder(path.relative_to(root), makes=True).close()
            else:
                path.mkdir(parents=True, exist_ok=True)
    contain(replace(within, writes=(*within.writes, str(folder))))


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _show_name(name: str) -> None:
    """Tell `ps` what is done here; the kernel takes the first 15 characters."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def _write_about_self(name: str, value: str) -> None:
    """Tell the kernel something about this process, for the out-of-memory killer.

    Where there is no /proc, or a container does not let it be written, the work goes on without.
    """
    with suppress(OSError):
        Path("/proc/self", name).write_text(value)


def _end_with(lifeline: int) -> None:
    """End when the worker does: the fork server would keep an orphan alive."""

    def watch() -> None:
        multiprocessing.connection.wait([lifeline])
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
