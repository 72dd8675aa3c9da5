"""What a process has to reach: that of its work, and that of Python and its libraries."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

# Libraries, and what their loader and the C library read; none of it is secret.
_SYSTEM: Final = (
    "/usr", "/lib", "/lib64", "/nix/store", "/sys",
    "/etc/ld.so.cache", "/etc/localtime", "/etc/timezone", "/etc/alternatives",
    "/etc/ssl/openssl.cnf", "/etc/pki/tls/openssl.cnf", "/etc/crypto-policies",
    "/etc/mime.types", "/etc/httpd/mime.types", "/etc/httpd/conf/mime.types",
    "/etc/apache/mime.types", "/etc/apache2/mime.types",
    "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime",
    "/proc/version", "/proc/filesystems", "/proc/devices", "/proc/modules", "/proc/driver",
    "/proc/sys",
)  # fmt: skip
_DEVICES: Final = ("null", "zero", "full", "random", "urandom", "kfd", "dri")
_PROCESSORS: Final = "nvidia*"  # of graphics, as its driver names them


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What work reads and writes. What is not there is left out.

    Attributes:
        reads: Absolute paths of files, and of folders for all below them.
        writes: Folders that are written to, and read.
        devices: Devices, or folders of them, that are used beside those every process has.
        has_processes: Whether it forks processes of its own.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    has_processes: bool = False


@cache
def listed_by_python() -> tuple[str, ...]:
    """Folders whose names Python looks through for modules.

    Once for the process, as all that is asked of the machine here: children that are forked take
    over what their parent has found.
    """
    return tuple(entry for entry in sys.path if Path(entry).is_dir())


@cache
def read_by_python() -> tuple[str, ...]:
    """What Python and the libraries read: the installation, and modules where others are found.

    A folder of modules outside of an installation is a checkout, which may have data and a
    ``.env`` beside them: packages are read there, and nothing else.
    """
    found: list[str] = []
    for path in (*_SYSTEM, *sorted({*_installed()}, key=len)):
        if not any(path == other or path.startswith(f"{other}/") for other in found):
            found.append(path)
    return tuple(found)


def _installed() -> Iterator[str]:
    installed = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
    yield from installed | set(sysconfig.get_paths().values())
    for entry in sys.path:
        folder = Path(entry)
        if folder.name in {"site-packages", "dist-packages"} or folder.is_file():
            yield entry
        elif folder.is_dir():
            yield from (str(path) for path in folder.iterdir() if _is_module(path))


@cache
def devices() -> tuple[str, ...]:
    """Devices that every process may use, and those that compute."""
    processors = (str(path) for path in Path("/dev").glob(_PROCESSORS))
    return (*(f"/dev/{name}" for name in _DEVICES), *processors)


def _is_module(path: Path) -> bool:
    if path.suffix in {".py", ".so", ".egg-link", ".dist-info", ".egg-info"}:
        return True
    return path.name.isidentifier() and (path / "__init__.py").is_file()
