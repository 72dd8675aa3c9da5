"""fsspec's file systems: which have folders, what their errors say, and what those leave out."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

# All others are object stores, or may be. Asked for a folder those may make a bucket, and need
# rights on the whole of one to find out that they need not.
_WITH_FOLDERS: Final = frozenset(
    {
        *("file", "local", "memory", "sftp", "ssh", "ftp", "smb"),
        *("hdfs", "arrow_hdfs", "webhdfs", "webHDFS", "dbfs"),
    }
)


def make_folder(file_system: Any, path: str) -> None:
    """Make a folder and those above it, where there are such things as folders."""
    if has_folders(file_system):
        file_system.makedirs(path, exist_ok=True)


def has_folders(file_system: Any) -> bool:
    """Whether files lie in folders that have to be made."""
    protocol = file_system.protocol
    return not _WITH_FOLDERS.isdisjoint([protocol] if isinstance(protocol, str) else protocol)


def read_times_quickly(file_system: Any) -> None:
    """Let a client of S3 try the two spellings of times that stores use before all others.

    botocore expects any spelling of each time: that is three quarters of what a listing takes of a
    core, and a tenth of what a small object takes.

    Raises:
        OSError: If the client cannot be set up.
    """
    try:
        from botocore.utils import parse_timestamp  # noqa: PLC0415 - comes with s3fs
    except ImportError:
        return
    if not hasattr(file_system, "set_session"):
        return

    def read_time(text: Any) -> datetime:
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                found = read(text)
            except (TypeError, ValueError):
                continue
            if found.tzinfo is not None:
                return found
        other: datetime = parse_timestamp(text)
        return other

    file_system.connect()
    factory = file_system.session.get_component("response_parser_factory")
    factory.set_parser_defaults(timestamp_parser=read_time)


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Note in an error which object it is about, which object stores leave out."""
    try:
        yield
    except OSError as error:
        if error.filename is None and not hasattr(error, "__notes__"):
            error.add_note(path)
        raise


class RefusedRequest(NamedTuple):
    """What an object store said of a request that it refused.

    Attributes:
        code: Such as ``AccessDenied``.
        operation: Such as ``DeleteObjects``.
        status: Of HTTP.
    """

    code: str
    operation: str
    status: int | None

    def __str__(self) -> str:
        return " in ".join(part for part in (self.code, self.operation) if part)


def refused_request(error: BaseException) -> RefusedRequest | None:
    """Which request an object store refused; None if none did.

    That is what botocore's ClientError carries, which s3fs makes an OSError of.
    """
    behind: Any = error
    while behind is not None:
        response = getattr(behind, "response", None)
        if isinstance(response, dict) and isinstance(said := response.get("Error"), dict):
            return RefusedRequest(
                str(said.get("Code") or ""),
                str(getattr(behind, "operation_name", None) or ""),
                response.get("ResponseMetadata", {}).get("HTTPStatusCode"),
            )
        behind = behind.__cause__
    return None
