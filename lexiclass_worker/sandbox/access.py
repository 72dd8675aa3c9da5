"""What a child is given for the access that its jobs need."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexiclass_core.folders import NotRegular, open_below
from lexiclass_worker.config import pretrained_cache
from lexiclass_worker.jobs.job import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a child is contained within; a child does only jobs that are given the same.

    Attributes:
        root: Of the storage, if that is a directory.
        places: Identity of each folder as it was; one that has been replaced is another.
    """

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    root: str
    has_processes: bool
    places: tuple[tuple[int, int] | None, ...]

    def as_reach(self) -> dict[str, Any]:
        """Fields of :class:`lexiclass.containment.Reach`."""
        return {"reads": self.reads, "writes": self.writes, "has_processes": self.has_processes}


def grant(access: Access) -> Grant:
    """What a child is given that does jobs with such access."""
    reads = [*_without_links(access.reads, access.root), pretrained_cache()]
    writes = [*_without_links(access.writes, access.root)]
    return Grant(
        reads=tuple(reads),
        writes=tuple(writes),
        root=access.root,
        has_processes=access.num_processes > 1,
        places=tuple(map(_identity, (*reads, *writes))),
    )


def _without_links(paths: Iterable[str], root: str) -> Iterator[str]:
    """Paths but those that a link lies on the way to, which no job follows."""
    for path in paths:
        try:
            open_below(Path(root), Path(path)).close()
        except NotRegular:
            continue
        except OSError:
            pass  # it is missing, which the job tells or mends
        yield path


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - of a string, at each job
    except OSError:
        return None
    return status.st_dev, status.st_ino
