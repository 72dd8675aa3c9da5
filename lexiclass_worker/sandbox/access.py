"""What a child is given for the access that its jobs need."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from lexiclass_core.folders import NotRegular, open_below
from lexiclass_worker.config import object_store_variables, pretrained_cache
from lexiclass_worker.jobs.job import Access

# Of fsspec's: file systems of this machine, which a URL may name as well.
_LOCAL: Final = frozenset({"file", "local"})

# What is asked over HTTP: object stores, and those that give out their credentials.
_HTTP: Final = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl", "oci", "r2"})
_HTTP_PORTS: Final = (80, 443)

# Where the libraries of object stores look for credentials, below the home folder.
_CREDENTIALS: Final = (".aws", ".azure", ".config/gcloud", ".config/fsspec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a child is contained within; a child does only jobs that are given the same.

    Attributes:
        reads: Files and folders.
        writes: Folders.
        root: Of the storage, if that is a directory.
        has_network: Whether it may reach servers.
        ports: TCP ports of these; None for any.
        variables: Set in its environment: how an object store is reached, and its credentials.
        has_processes: Whether it may fork any.
        places: Identity of each folder as it was; one that has been replaced is another.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    root: str
    has_network: bool
    ports: tuple[int, ...] | None
    variables: tuple[tuple[str, str], ...]
    has_processes: bool
    places: tuple[tuple[int, int] | None, ...]

    def as_reach(self) -> dict[str, Any]:
        """Fields of :class:`lexiclass.containment.Reach`."""
        return {
            "reads": self.reads, "writes": self.writes, "has_network": self.has_network,
            "ports": self.ports, "has_processes": self.has_processes,
        }  # fmt: skip


def grant(access: Access) -> Grant:
    """What a child is given that does jobs with such access."""
    root = _local_path(access.root)
    reads = [*_local_paths(access.reads, root), pretrained_cache()]
    writes = [*_local_paths(access.writes, root)]
    stores = [path for path in (*access.reads, *access.writes) if _is_remote(path)]
    variables = object_store_variables() if stores else {}
    if stores:
        home = variables.get("HOME", "")
        reads += [f"{home}/{name}" for name in _CREDENTIALS]
        reads += [value for value in variables.values() if value.startswith("/")]
    return Grant(
        reads=tuple(reads),
        writes=tuple(writes),
        root=root,
        has_network=bool(stores),
        ports=_ports(stores, variables.values()) if stores else (),
        variables=tuple(sorted(variables.items())),
        has_processes=access.num_processes > 1,
        places=tuple(map(_identity, (*reads, *writes))),
    )


def _ports(stores: Iterable[str], addresses: Iterable[str]) -> tuple[int, ...] | None:
    if not {urlsplit(url).scheme for url in stores} <= _HTTP:
        return None
    return tuple(sorted({*_HTTP_PORTS, *_ports_in(addresses)}))


def _ports_in(addresses: Iterable[str]) -> Iterator[int]:
    """Those of other servers and of proxies, which variables name."""
    for address in addresses:
        try:
            port = urlsplit(address if "://" in address else f"//{address}").port
        except ValueError:
            continue
        if port is not None:
            yield port


def _is_remote(path: str) -> bool:
    return "://" in path and urlsplit(path).scheme not in _LOCAL


def _local_paths(paths: Iterable[str], root: str) -> Iterator[str]:
    """Those of this machine, but what a link lies on the way to, which no job follows."""
    for path in filter(None, map(_local_path, paths)):
        try:
            open_below(Path(root), Path(path)).close()
        except NotRegular:
            continue
        except OSError:
            pass  # it is missing, which the job tells or mends
        yield path


def _local_path(path: str) -> str:
    """A path of this machine; empty for what lies elsewhere."""
    if "://" not in path:
        return path
    return "" if _is_remote(path) else path.partition("://")[2]


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - of a string, at each job
    except OSError:
        return None
    return status.st_dev, status.st_ino
