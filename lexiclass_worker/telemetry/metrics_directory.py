"""The folder in which the processes of a worker group share their counts.

prometheus_client gives each process a memory-mapped file per kind of series. Two things it leaves
to others are done here: telling the dead from the living, and giving the files of the dead away.
A process holds a lock on ``alive_<pid>.lock`` for as long as it lives, which the kernel takes back
however it ends; process ids alone would not do, they are used again. What dead processes counted
is added up in ``<kind>_retired.db``, so that counters never go down and files never pile up; what
their live gauges said is dropped.
"""

import fcntl
import os
import re
import struct
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from loguru import logger
from prometheus_client.mmap_dict import MmapedDict

from lexiclass_worker.config import ConfigurationError, Settings

_SCRAPED: Final = "scraped"
_BEGAN: Final = "began"
_FILE: Final = re.compile(r"(?P<kind>counter|histogram|summary|gauge_[a-z]+)_(?P<pid>\d+)\.db")


def open_directory(settings: Settings) -> Path:
    """The group's folder, made for this user alone if it is not there.

    Returns:
        ``settings.metrics.directory``, or a folder per user and port in the temporary directory.

    Raises:
        ConfigurationError: It cannot be made, or the temporary folder belongs to somebody else.
    """
    name = f"lexiclass-worker-{os.geteuid()}-{settings.metrics.port}"
    directory = settings.metrics.directory or Path(tempfile.gettempdir()) / name
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"METRICS__DIRECTORY: cannot make {directory}: {error.strerror}"
        ) from None
    if settings.metrics.directory is not None:
        return directory
    # Anybody may have made a folder, or a link, of this name in a directory open to all.
    if directory.is_symlink() or directory.stat().st_uid != os.geteuid():
        raise ConfigurationError(
            f"{directory} belongs to another user: set METRICS__DIRECTORY to a folder of your own"
        )
    directory.chmod(0o700)
    return directory


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep other processes and threads from retiring, booting or reading meanwhile."""
    with (directory / "directory.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def began_at_s(directory: Path) -> float:
    """Since when is counted here, as a time of the system; now, if nothing was yet.

    Counts outlive the group that made them where the folder does. Call it under :func:`locked`.
    """
    began = directory / _BEGAN
    if not began.exists():
        began.touch()
    return began.stat().st_mtime


def note_scrape(directory: Path) -> None:
    """Note that what is counted is read now."""
    (directory / _SCRAPED).touch()


def scraped_at_s(directory: Path) -> float:
    """When what was counted was last read, as a time of the system; 0 if it never was."""
    try:
        return (directory / _SCRAPED).stat().st_mtime
    except OSError:
        return 0.0


def announce_process(directory: Path) -> BinaryIO:
    """Mark this process as living and drop what an earlier one of the same id left.

    Call it under :func:`locked`, before the first series is made.

    Returns:
        The lock; keep it open. Closing any handle of the file in this process would release it.
    """
    pid = os.getpid()
    _retire(directory, {pid})
    lock = _lock_path(directory, pid).open("ab")
    # Of the process, not of the handle as flock would be: a forked child does not inherit it.
    fcntl.lockf(lock, fcntl.LOCK_EX)
    return lock


def retire_dead_processes(directory: Path) -> None:
    """Give away the files of processes that are no more. Call it under :func:`locked`."""
    pids = {int(match["pid"]) for _, match in _files(directory)}
    dead = {pid for pid in pids if pid != os.getpid() and not _is_alive(directory, pid)}
    if dead:
        _retire(directory, dead)


def _files(directory: Path) -> list[tuple[Path, re.Match[str]]]:
    return [
        (path, match)
        for path in sorted(directory.iterdir())
        if (match := _FILE.fullmatch(path.name)) is not None
    ]


def _lock_path(directory: Path, pid: int) -> Path:
    return directory / f"alive_{pid}.lock"


def _is_alive(directory: Path, pid: int) -> bool:
    try:
        with _lock_path(directory, pid).open("r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (BlockingIOError, PermissionError):
        return True
    return False


def _retire(directory: Path, pids: set[int]) -> None:
    left_over: defaultdict[str, list[Path]] = defaultdict(list)
    for path, match in _files(directory):
        if int(match["pid"]) in pids:
            left_over[match["kind"]].append(path)
    for kind, paths in left_over.items():
        if kind in {"counter", "histogram", "summary"}:
            _add_up(directory / f"{kind}_retired.db", paths)
        elif kind.startswith("gauge_live"):
            for path in paths:
                path.unlink(missing_ok=True)
    for pid in pids:
        _lock_path(directory, pid).unlink(missing_ok=True)


def _add_up(retired: Path, paths: list[Path]) -> None:
    """Add files to the retired one. Each value in them is a count or a sum, so they add up."""
    totals: defaultdict[str, float] = defaultdict(float)
    for path in (retired, *paths):
        for key, value in _values(path):
            totals[key] += value
    fresh = retired.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    writer = MmapedDict(str(fresh))
    try:
        for key, value in totals.items():
            writer.write_value(key, value, 0.0)
    finally:
        writer.close()
    # Should this process die in between, a count is lost: Prometheus takes that for a restart.
    # In the other order it would be there twice and stay so.
    for path in paths:
        path.unlink(missing_ok=True)
    fresh.replace(retired)


def _values(path: Path) -> list[tuple[str, float]]:
    try:
        entries = MmapedDict.read_all_values_from_file(str(path))
        return [(key, value) for key, value, _, _ in entries]
    except FileNotFoundError:
        return []
    except (RuntimeError, ValueError, IndexError, struct.error) as error:
        logger.warning("{} is damaged, what it counted is lost: {}", path, error)
        return []
