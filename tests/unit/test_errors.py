"""What each exception means for a task."""

import asyncio
import inspect
import socket

import asyncpg
import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InvalidRequestError,
    OperationalError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from lexiclass import errors as library
from lexiclass_core.codes import ErrorCode
from lexiclass_core.layout import PathOutsideProjectError, UnsafeNameError
from lexiclass_worker import errors
from lexiclass_worker.errors import (
    ChunksFailed,
    InternalError,
    NotFound,
    PermanentError,
    SandboxFailure,
    TransientError,
    WorkerError,
    translate,
)
from lexiclass_worker.ml.failures import describe


class Refused(Exception):
    """As asyncpg raises it."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("refused")
        self.sqlstate = sqlstate


class EndpointConnectionError(Exception):
    """As s3fs lets it through."""


EndpointConnectionError.__module__ = "botocore.exceptions"


def refused(sqlstate: str | None, *, invalidated: bool = False) -> DBAPIError:
    return DBAPIError("SELECT secret", {}, Refused(sqlstate), connection_invalidated=invalidated)


TRANSLATED = [
    (NotFound("x"), "NOT_FOUND", False),
    (PathOutsideProjectError("../x", 7), "VALIDATION_ERROR", False),
    (UnsafeNameError("a/b"), "VALIDATION_ERROR", False),
    (MemoryError(), "MEMORY_LIMIT", False),
    (asyncio.CancelledError(), "CANCELLED", False),
    (ConnectionRefusedError(111, "refused"), "STORAGE_ERROR", True),
    (TimeoutError(), "STORAGE_ERROR", True),
    (socket.gaierror(-2, "unknown name"), "STORAGE_ERROR", True),
    # As a COPY raises them.
    (asyncpg.ConnectionDoesNotExistError("closed"), "DATABASE_ERROR", True),
    (asyncpg.InterfaceError("closed"), "DATABASE_ERROR", True),
    (asyncpg.InternalClientError("state 11"), "DATABASE_ERROR", True),
    (asyncpg.NumericValueOutOfRangeError("22003"), "INTERNAL_ERROR", False),
    (PoolTimeoutError("pool"), "DATABASE_ERROR", True),
    (OperationalError("s", {}, Refused(None)), "DATABASE_ERROR", True),
    (InterfaceError("s", {}, Refused(None)), "DATABASE_ERROR", True),
    (refused(None, invalidated=True), "DATABASE_ERROR", True),
    (refused("08006"), "DATABASE_ERROR", True),
    (refused("40001"), "DATABASE_ERROR", True),  # serialization failure
    (refused("40P01"), "DATABASE_ERROR", True),  # deadlock
    (refused("53300"), "DATABASE_ERROR", True),  # too many connections
    (refused("55P03"), "DATABASE_ERROR", True),  # lock not available
    (refused("57P01"), "DATABASE_ERROR", True),  # shutting down
    (refused("42P01"), "INTERNAL_ERROR", False),  # no such table
    (refused("22003"), "INTERNAL_ERROR", False),
    (refused(None), "INTERNAL_ERROR", False),
    (IntegrityError("s", {}, Refused("23505")), "INTERNAL_ERROR", False),
    (InvalidRequestError("x"), "INTERNAL_ERROR", False),
    (OSError(28, "No space left on device"), "STORAGE_ERROR", True),
    (PermissionError(13, "Permission denied"), "STORAGE_ERROR", True),
    (NotADirectoryError(20, "Not a directory"), "STORAGE_ERROR", True),
    (EndpointConnectionError("http://secret@host"), "STORAGE_ERROR", True),
    (ZeroDivisionError("secret"), "INTERNAL_ERROR", False),
    (KeyboardInterrupt(), "INTERNAL_ERROR", False),
]


@pytest.mark.parametrize(("error", "code", "retryable"), TRANSLATED, ids=repr)
def test_an_exception_has_its_code(error: BaseException, code: str, retryable: bool) -> None:
    translated = translate(error)

    assert (translated.code, translated.retryable) == (code, retryable)
    assert isinstance(translated, TransientError if retryable else PermanentError)
    assert "secret" not in str(translated.as_task_error())
    assert translate(translated) is translated


def test_every_wrong_argument_is_named_and_no_value_repeated() -> None:
    class Arguments(BaseModel):
        a: int
        b: list[int]

    with pytest.raises(ValidationError) as raised:
        Arguments.model_validate({"a": "hunter2", "b": [1, "hunter3"]})

    error = translate(raised.value).as_task_error()

    assert error.code == "VALIDATION_ERROR"
    assert [problem["argument"] for problem in error.details["problems"]] == ["a", "b.1"]
    assert "a: Input should be" in error.message
    assert "hunter" not in error.model_dump_json()


def test_an_error_is_what_the_task_row_holds() -> None:
    error = NotFound("no such thing", details={"id": 3})

    assert error.as_task_error().model_dump() == {
        "code": "NOT_FOUND",
        "message": "no such thing",
        "details": {"id": 3},
        "retryable": False,
    }
    assert str(error) == error.message


def test_details_are_the_errors_own() -> None:
    details = {"a": 1}
    error = NotFound("x", details=details)
    details["a"] = 2

    assert error.details == {"a": 1}


FAMILY = [
    member
    for _, member in inspect.getmembers(errors, inspect.isclass)
    if issubclass(member, WorkerError)
    # The last two have the code of what they are made of.
    and member not in {WorkerError, PermanentError, TransientError, SandboxFailure, ChunksFailed}
]


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    for member in FAMILY:
        line = next(
            line for line in (errors.__doc__ or "").splitlines() if f" {member.__name__} " in line
        )
        assert line.split()[-1] == member.code
        assert member.__bases__[0] in {PermanentError, TransientError}
        assert member.__doc__


def test_each_class_has_a_code_of_its_own() -> None:
    codes = [member.code for member in FAMILY]

    assert len(set(codes)) == len(codes)
    assert all(isinstance(code, ErrorCode) for code in codes)
    assert InternalError.code is ErrorCode.INTERNAL_ERROR


LIBRARY = [
    member
    for _, member in inspect.getmembers(library, inspect.isclass)
    if issubclass(member, library.LexiClassError)
]


@pytest.mark.parametrize("member", LIBRARY)
def test_every_error_of_the_library_has_a_code_of_the_contract(
    member: type[library.LexiClassError],
) -> None:
    assert member.code in set(ErrorCode)


def test_an_error_of_the_library_keeps_its_code_and_details() -> None:
    described = describe(library.ModelCorrupt("weights.npz", "wrong checksum"))

    assert described.code == "MODEL_CORRUPT"
    assert described.details == {"file": "weights.npz", "reason": "wrong checksum"}
    assert not described.retryable


@pytest.mark.parametrize(
    ("error", "code", "retryable"),
    [
        (OSError(28, "No space left"), "STORAGE_ERROR", True),
        (ConnectionError("bucket"), "STORAGE_ERROR", True),
        (MemoryError(), "MEMORY_LIMIT", False),
        (ValueError("secret"), "INTERNAL_ERROR", False),
    ],
)
def test_what_else_the_sandbox_raises_is_described(
    error: Exception, code: str, retryable: bool
) -> None:
    described = describe(error)

    assert (described.code, described.retryable) == (code, retryable)
    assert "secret" not in described.message
