"""How a child has something of an object store: its worker asks the store.

A request travels on a stream of its own, whose end the child has sent its worker over the one
socket that was given to it. So every process that the child has forked can ask, and whoever loses
interest closes the stream. A request is JSON; an answer is JSON, or some contents of documents.
"""

import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from errno import EACCES, ENOENT
from pathlib import Path
from threading import Lock, Semaphore, Thread
from typing import IO, Any, Final

from loguru import logger

from lexiclass_worker.artifacts.document_objects import Contents, Look
from lexiclass_worker.artifacts.index_copies import Files
from lexiclass_worker.artifacts.project_objects import ProjectObjects, StoredProject
from lexiclass_worker.causes import cause_of, os_error_text, path_of
from lexiclass_worker.errors import StorageUnavailable, WorkerError, translate

# Kind of a frame, and how many bytes follow.
_HEADER: Final = struct.Struct("!cQ")
_VALUE: Final = b"="
_BYTES: Final = b"#"
_ERROR: Final = b"!"

# A request for some thousand documents, or what a manifest says of as many files.
_LONGEST_REQUEST: Final = 2**26

# At a time, of one job: one for each of its processes, which wait for each answer.
_MOST_STREAMS: Final = 256


_ANSWERED: Final = {
    ask: getattr(StoredProject, ask) for ask in vars(ProjectObjects) if not ask.startswith("_")
}


class Gateway:
    """The worker's end: answers a job until it is closed.

    Args:
        project: What the job may have.
    """

    def __init__(self, project: StoredProject) -> None:
        self._project = project
        self._ours, self.childs = socket.socketpair()
        """The end for the child; whoever has sent it closes it."""
        self._free = Semaphore(_MOST_STREAMS)
        self._answering: set[socket.socket] = set()
        self._changing = Lock()
        self._thread = Thread(target=self._accept, name="object-gateway", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nothing more, and release what the job has fetched."""
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._ours.close()
        with self._changing:
            for stream in self._answering:
                with suppress(OSError):
                    stream.shutdown(socket.SHUT_RDWR)
        with self._project:
            pass

    def _accept(self) -> None:
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._ours, 1, 1)
            except OSError:
                return
            if not data:
                return
            for descriptor in descriptors:
                try:
                    stream = socket.socket(fileno=descriptor)
                except OSError:
                    os.close(descriptor)
                    continue
                self._free.acquire()
                with self._changing:
                    self._answering.add(stream)
                Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        try:
            # Whoever does not listen any more has ended, or wants no more of it.
            with suppress(BrokenPipeError, ConnectionResetError):
                self._answer(stream)
        finally:
            with self._changing:
                self._answering.discard(stream)
            stream.close()
            self._free.release()

    def _answer(self, stream: socket.socket) -> None:
        with stream.makefile("rb") as file:
            kind, data = _read(file, _LONGEST_REQUEST)
        if kind != _VALUE:
            return
        try:
            request = json.loads(data)
            ask = request.pop("ask")
            if ask == "read":
                self._answer_with_contents(stream, **request)
                return
            answer = _ANSWERED[ask](self._project, **request)
            if isinstance(answer, bytes):
                _write(stream, _BYTES, answer)
            else:
                _write(stream, _VALUE, json.dumps(answer, default=str).encode())
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: the child is told, and fails with it
            logger.debug("The object store was asked in vain: {error}", error=cause_of(error))
            _write(stream, _ERROR, json.dumps(_described(error)).encode())

    def _answer_with_contents(
        self, stream: socket.socket, paths: Sequence[str], max_bytes: int
    ) -> None:
        with closing(self._project.read(paths, max_bytes)) as contents:
            for content in contents:
                if isinstance(content, bytes):
                    _write(stream, _BYTES, content)
                else:
                    _write(stream, _ERROR, json.dumps(_described(content)).encode())


def _described(error: Exception) -> dict[str, Any]:
    if not isinstance(error, OSError):
        failure = translate(error)
        return {"message": failure.message, "details": failure.details}
    path = path_of(error)
    text = os_error_text(error).removesuffix(f": {path}")
    return {"errno": error.errno or _errno_of(error), "text": text, "path": path}


def _errno_of(error: OSError) -> int | None:
    """The number that makes an error of the same class again; s3fs gives none to some."""
    match error:
        case FileNotFoundError():
            return ENOENT
        case PermissionError():
            return EACCES
        case _:
            return None


@dataclass(frozen=True, slots=True)
class AskingProject(ProjectObjects):
    """A child's end.

    Attributes:
        worker: The socket that was given to the child. Processes that it forks share it.
    """

    worker: socket.socket

    def read(self, paths: Sequence[str], max_bytes: int) -> Contents:
        """See :class:`ProjectObjects`."""
        request = {"ask": "read", "paths": paths, "max_bytes": max_bytes}
        with closing(self._request(request)) as stream, stream.makefile("rb") as file:
            for _ in paths:
                kind, data = _read(file)
                if kind == _BYTES:
                    yield data
                    continue
                error = _error(data)
                if not isinstance(error, OSError):
                    raise error
                yield error

    def listed(self, folder: str) -> Mapping[str, Look]:
        """See :class:`ProjectObjects`."""
        return self._looks({"ask": "listed", "folder": folder})

    def looked_at(self, folder: str, names: Sequence[str]) -> Mapping[str, Look]:
        """See :class:`ProjectObjects`."""
        return self._looks({"ask": "looked_at", "folder": folder, "names": list(names)})

    def index_names(self) -> list[str]:
        """See :class:`ProjectObjects`."""
        found: list[str] = self._ask("index_names")
        return found

    def index_manifest(self, name: str) -> bytes | None:
        """See :class:`ProjectObjects`."""
        found: bytes | None = self._ask("index_manifest", name=name)
        return found

    def fetch_index(self, name: str, files: Files, *, is_bounded: bool) -> bool:
        """See :class:`ProjectObjects`."""
        return bool(self._ask("fetch_index", name=name, files=files, is_bounded=is_bounded))

    def index_directory(self, name: str) -> Path:
        """See :class:`ProjectObjects`."""
        return Path(self._ask("index_directory", name=name))

    def drop_old_files(self, name: str, files: Files) -> None:
        """See :class:`ProjectObjects`."""
        self._ask("drop_old_files", name=name, files=files)

    def release_index(self, name: str) -> None:
        """See :class:`ProjectObjects`."""
        self._ask("release_index", name=name)

    def begin_build(self, name: str) -> Path:
        """See :class:`ProjectObjects`."""
        return Path(self._ask("begin_build", name=name))

    def upload_build(self, name: str, files: Files) -> None:
        """See :class:`ProjectObjects`."""
        self._ask("upload_build", name=name, files=files)

    def replace_manifest(self, name: str) -> None:
        """See :class:`ProjectObjects`."""
        self._ask("replace_manifest", name=name)

    def conclude_build(self, name: str, files: Files) -> None:
        """See :class:`ProjectObjects`."""
        self._ask("conclude_build", name=name, files=files)

    def remove_index(self, name: str) -> None:
        """See :class:`ProjectObjects`."""
        self._ask("remove_index", name=name)

    def _looks(self, request: Mapping[str, Any]) -> Mapping[str, Look]:
        found = self._ask(**request)
        return {name: (stamp, size) for name, (stamp, size) in found.items()}

    def _ask(self, ask: str, **arguments: Any) -> Any:
        with (
            closing(self._request({"ask": ask, **arguments})) as stream,
            stream.makefile("rb") as file,
        ):
            kind, data = _read(file)
        if kind == _ERROR:
            raise _error(data)
        return data if kind == _BYTES else json.loads(data)

    def _request(self, request: Mapping[str, Any]) -> socket.socket:
        ours, workers = socket.socketpair()
        with workers:
            socket.send_fds(self.worker, [b"\0"], [workers.fileno()])
        try:
            data = json.dumps(request).encode()
            _write(ours, _VALUE, data)
        except BaseException:
            ours.close()
            raise
        return ours


def _error(data: bytes) -> OSError | WorkerError:
    told = json.loads(data)
    if "message" in told:
        return StorageUnavailable(told["message"], details=told["details"])
    if told["errno"] is None:
        error = OSError(told["text"])
        if told["path"]:
            error.add_note(told["path"])
        return error
    return OSError(told["errno"], told["text"] or os.strerror(told["errno"]), told["path"])


def _write(stream: socket.socket, kind: bytes, data: bytes) -> None:
    stream.sendall(_HEADER.pack(kind, len(data)))
    stream.sendall(data)


def _read(file: IO[bytes], longest: int | None = None) -> tuple[bytes, bytes]:
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size:
        raise ConnectionResetError("the other end is gone")
    kind, size = _HEADER.unpack(header)
    if longest is not None and size > longest:
        raise ConnectionResetError("a request is longer than any can be")
    data = file.read(size)
    if len(data) < size:
        raise ConnectionResetError("the other end is gone")
    return kind, data
