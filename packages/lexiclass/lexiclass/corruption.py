"""Files that a library fails over: every one of its failures says the same of the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lexiclass.errors import LexiClassError, ModelCorrupt

# Of these a message may quote what a file holds, which can be long.
_LONGEST_REASON = 500


@contextmanager
def taking_in(file: str) -> Iterator[None]:
    """Take in the content of a file, whose checksum fits, in a ``with`` block.

    What does not speak of the content passes: an error of the system, or too little memory.

    Raises:
        ModelCorrupt: For whatever else is raised, a panic of a library written in Rust included.
    """
    try:
        yield
    except (LexiClassError, OSError, MemoryError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and not is_panic(error):
            raise
        reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
        raise ModelCorrupt(file, f"not understood ({reason})") from error


def is_panic(error: BaseException) -> bool:
    """Whether an exception is a panic of Rust code, which no ``except Exception`` catches.

    Its class can't be imported, and each library has its own:
    https://pyo3.rs/main/doc/pyo3/panic/struct.PanicException
    """
    return type(error).__name__ == "PanicException"
