"""The account a server runs under, and what that account may reach.

PostgreSQL refuses to run as root, and no server should: where this program is root, both servers
run under an unprivileged account.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from lexiclass_worker.embedded.errors import EmbeddedServerUnavailable

_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the system."""

    uid: int
    gid: int


def account_for(data: Path) -> Account | None:
    """The account a server over `data` must switch to; None where this program isn't root.

    Data that already exist keep their owner: a directory filled by an ordinary user is served as
    that user, so that he can go on without root. The directory need not exist.

    Raises:
        EmbeddedServerUnavailable: Root, and the system has no account to switch to.
    """
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return Account(data.stat().st_uid, data.stat().st_gid)
    entries = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _CANDIDATES:
        if name in entries:
            return Account(entries[name].pw_uid, entries[name].pw_gid)
    raise EmbeddedServerUnavailable(
        "PostgreSQL does not run as root, and this system has no account named "
        f"{' or '.join(_CANDIDATES)}: run the command as an ordinary user"
    )


def give(path: Path, account: Account | None) -> None:
    """Make `account` the owner of one file or directory; nothing to do without an account."""
    if account is not None:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def let_traverse(path: Path, account: Account | None) -> None:
    """Let `account` pass through the parent directories of `path`.

    A clone or a virtual environment may lie in a 0700 directory. Only the bit to pass through is
    added (o+x: names can't be listed), only where it lacks, and each change is logged.

    Without an account nothing is changed.

    Raises:
        OSError: A mode can't be changed, on a read-only file system for example.
    """
    if account is None:
        return
    for parent in reversed(path.resolve().parents):
        status = parent.stat()
        if not _may_pass(status, account):
            parent.chmod(stat.S_IMODE(status.st_mode) | stat.S_IXOTH)
            logger.info("let other accounts pass through {} (chmod o+x)", parent)


def let_read(paths: tuple[Path, ...], account: Account | None) -> None:
    """Let `account` read and run what lies under `paths`, like `chmod -R o+rX`.

    Meant for the files of public wheels, which a strict umask leaves readable by root alone.

    Raises:
        OSError: A mode can't be changed.
    """
    if account is None:
        return
    changed = 0
    for top in paths:
        for path in (top, *top.rglob("*")) if top.is_dir() else (top,):
            if path.is_symlink():
                continue  # has no mode of its own, and may point out of the wheel
            mode = stat.S_IMODE(path.stat().st_mode)
            wanted = mode | stat.S_IROTH
            if path.is_dir() or mode & stat.S_IXUSR:
                wanted |= stat.S_IXOTH
            if wanted != mode:
                path.chmod(wanted)
                changed += 1
    if changed:
        logger.info("let other accounts read {} files of the server's wheel (chmod o+rX)", changed)


def _may_pass(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
