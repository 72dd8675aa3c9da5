"""What errors of fsspec's file systems leave out."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Note in an error which object it is about, which object stores leave out."""
    try:
        yield
    except OSError as error:
        if error.filename is None and not hasattr(error, "__notes__"):
            error.add_note(path)
        raise
