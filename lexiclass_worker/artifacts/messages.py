"""What travels between a child that asks for something of an object store and its worker.

A message says of what kind it is and how long: JSON, the content of a document, or an error.
"""

import json
import os
import socket
import struct
from collections.abc import Callable
from errno import EACCES, ENOENT
from typing import IO, Final

from lexiclass_worker.causes import os_error_text, path_of
from lexiclass_worker.errors import StorageUnavailable, WorkerError, translate

_HEADER: Final = struct.Struct("!cQ")
VALUE: Final = b"="
BYTES: Final = b"#"
ERROR: Final = b"!"


def write(stream: socket.socket, kind: bytes, data: bytes) -> None:
    """Send a message."""
    stream.sendall(_HEADER.pack(kind, len(data)))
    stream.sendall(data)


def read(file: IO[bytes]) -> tuple[bytes, bytes]:
    """Wait for a message, and return its kind and what it holds.

    Raises:
        ConnectionResetError: If the other end is gone.
    """
    kind, size = read_header(file)
    return kind, read_data(file, size)


def read_header(file: IO[bytes], longest: int | None = None) -> tuple[bytes, int]:
    """Wait for a message, and return its kind and how long it is.

    Raises:
        ConnectionResetError: If the other end is gone, or it is longer than it may be.
    """
    kind, size = _HEADER.unpack(read_data(file, _HEADER.size))
    if longest is not None and size > longest:
        raise ConnectionResetError("a request is longer than any can be")
    return kind, size


def read_data(file: IO[bytes], size: int) -> bytes:
    """What a message holds.

    Raises:
        ConnectionResetError: If the other end is gone, or does not let be waited for.
    """
    # None of a stream that its other end has made one not to wait for.
    data = file.read(size) or b""
    if len(data) < size:
        raise ConnectionResetError("the other end is gone")
    return data


def encode_error(error: Exception, told: Callable[[str], str]) -> bytes:
    """An error as a message has it; ``told`` hides what the other end is not to know."""
    if not isinstance(error, OSError):
        failure = translate(error)
        details = json.loads(told(json.dumps(failure.details, default=str)))
        return json.dumps({"message": told(failure.message), "details": details}).encode()
    path = path_of(error)
    text = os_error_text(error).removesuffix(f": {path}")
    fields = {
        "errno": error.errno or _errno_of(error),
        "text": told(text),
        "path": None if path is None else told(path),
    }
    return json.dumps(fields).encode()


def _errno_of(error: OSError) -> int | None:
    """The number that makes an error of the same class again; s3fs gives none to some."""
    match error:
        case FileNotFoundError():
            return ENOENT
        case PermissionError():
            return EACCES
        case _:
            return None


def decode_error(data: bytes) -> OSError | WorkerError:
    """The error that a message has."""
    told = json.loads(data)
    if "message" in told:
        return StorageUnavailable(told["message"], details=told["details"])
    if told["errno"] is None:
        error = OSError(told["text"])
        if told["path"]:
            error.add_note(told["path"])
        return error
    return OSError(told["errno"], told["text"] or os.strerror(told["errno"]), told["path"])
