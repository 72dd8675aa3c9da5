"""Files that a job writes and its worker has opened: a contained child can open no others.

Outside a child they are opened by their paths.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO

# Those of the job that this child does.
_descriptors: dict[Path, int] = {}


def share(descriptors: Mapping[Path, int]) -> None:
    """Write to these descriptors what is written to their paths; each is closed with its file."""
    for left in _descriptors.values():
        os.close(left)
    _descriptors.clear()
    _descriptors.update(descriptors)


def open_output(path: Path) -> IO[str]:
    """Open a file to write text to, in UTF-8, from its beginning.

    Raises:
        OSError: If it can't be opened.
    """
    return open(_descriptors.pop(path, path), "w", encoding="utf-8")  # noqa: PTH123
