"""What every job is."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Files that a job works with. What is not there is left out.

    Attributes:
        reads: Absolute paths of files, and of folders with all below them.
        writes: The same of folders that are written to, and read. One that is missing is made.
        root: Of a storage that is a directory, else empty. Below it no link is followed, and
            nothing is made if it is gone.
        outputs: Files that the job writes, each of them from its beginning and once. They lie where
            it has no access, and are opened by the worker; see :mod:`lexiclass_worker.ml.outputs`.
        num_processes: Processes that it may share its work among; with 1 it can fork none.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    outputs: tuple[Path, ...] = ()
    root: str = ""
    num_processes: int = 1


class Job(Protocol):
    """Work for the sandbox.

    Attributes:
        function: ``module:name`` of ``function(job, report) -> dict`` with JSON values.
        reuses_child: Whether it shares a child with others of the same access, one after the
            other, and with it the models they have loaded. Else a child does this one job, and all
            its memory goes back.
    """

    function: ClassVar[str]
    reuses_child: ClassVar[bool]

    @property
    def access(self) -> Access:
        """The files it works with: its child can open no others."""
        ...
