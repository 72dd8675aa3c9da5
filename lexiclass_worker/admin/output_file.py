"""A file that appears complete or not at all."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import uuid4


@contextmanager
def open_output(path: Path | None) -> Iterator[IO[bytes]]:
    """A file that appears complete or not at all; None is the standard output.

    What is there already and is no regular file, such as a pipe, is written to.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    # A link goes on leading to what it leads to.
    target = path.resolve()
    staging = target.with_name(f".{target.name}.{uuid4().hex}.partial")
    try:
        with staging.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        staging.replace(target)
    finally:
        staging.unlink(missing_ok=True)
