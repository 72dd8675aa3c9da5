"""What is told of an exception: the words of whoever refused, and no value of a statement."""

import errno
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from redis.exceptions import BusyLoadingError
from sqlalchemy.exc import DBAPIError

from lexiclass_worker.causes import cause_of
from lexiclass_worker.errors import translate


def caused(error: BaseException, by: BaseException) -> BaseException:
    error.__cause__ = by
    return error


def refused(operation: str, code: str, said: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": said}}, operation)


CAUSES = [
    (OSError(errno.ENOSPC, "No space left on device"), "OSError: No space left on device"),
    (
        PermissionError(errno.EACCES, "Permission denied", "/srv/a"),
        "PermissionError: Permission denied: /srv/a",
    ),
    (OSError(errno.EXDEV, "Invalid link", "/a", None, "/b"), "OSError: Invalid link: /a -> /b"),
    (OSError("AF_UNIX path too long"), "OSError: AF_UNIX path too long"),
    (FileNotFoundError("no folder /a\nand more"), "FileNotFoundError: no folder /a"),
    (PermissionError(), "PermissionError: it says no more"),
    (TimeoutError(), "TimeoutError: no answer in time"),
    (
        caused(PermissionError("Denied"), refused("PutObject", "AccessDenied", "Denied")),
        "PermissionError: Denied (AccessDenied in PutObject)",
    ),
    (
        BusyLoadingError("Redis is loading the dataset in memory"),
        "BusyLoadingError: Redis is loading the dataset in memory",
    ),
    (caused(RuntimeError(), KeyError("k")), "RuntimeError, after KeyError: 'k'"),
    (
        ConnectionError("to https://key@host/ failed"),
        "ConnectionError: to https://***@host/ failed",
    ),
    (RuntimeError(), "RuntimeError"),
]


@pytest.mark.parametrize(("error", "told"), CAUSES, ids=lambda case: str(case)[:40])
def test_a_cause_is_told_in_the_words_of_whoever_refused(error: BaseException, told: str) -> None:
    assert cause_of(error) == told


class _Refusal(Exception):
    sqlstate = "42501"


def test_of_a_refused_statement_its_values_are_not_told() -> None:
    origin = _Refusal("permission denied for table document\nDETAIL: a text")
    told = cause_of(DBAPIError("INSERT ...", {"content": "a text"}, origin))

    assert told == "DBAPIError: permission denied for table document (SQLSTATE 42501)"


def test_a_failed_file_is_named_in_the_row(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(FileNotFoundError) as raised:
        missing.read_bytes()

    error = translate(raised.value).as_task_error()

    assert error.message == f"FileNotFoundError: No such file or directory: {missing}"
    assert error.details == {"errno": errno.ENOENT, "path": str(missing)}


def test_an_unexpected_exception_is_told_by_its_line_and_not_by_its_text() -> None:
    with pytest.raises(ZeroDivisionError) as raised:
        _ = 1 / int("0")

    message = translate(raised.value).message

    assert "unexpected ZeroDivisionError in unit/test_causes.py, line " in message
    assert "by zero" not in message
