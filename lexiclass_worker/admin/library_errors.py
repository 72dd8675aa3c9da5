"""What the ML library fails with, in a process that calls it itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from lexiclass import LexiClassError
from lexiclass_core.codes import ErrorCode
from lexiclass_worker.errors import SandboxFailure


@contextmanager
def library_errors() -> Iterator[None]:
    """Give the library's errors as the worker's, under their own codes."""
    try:
        yield
    except LexiClassError as error:
        code = ErrorCode(error.code)
        raise SandboxFailure(code, error.message, details=dict(error.details)) from error
