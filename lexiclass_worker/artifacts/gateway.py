"""How a child has something of an object store: its worker asks the store.

A request travels on a stream of its own, whose end the child has sent its worker over the one
socket that was given to it. So every process that the child has forked can ask, and whoever loses
interest closes the stream. A request is JSON; an answer is JSON, or some contents of documents.
"""

import json
import os
import socket
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from threading import Lock, Semaphore, Thread
from typing import Any, Final

from loguru import logger

from lexiclass_worker.artifacts import messages
from lexiclass_worker.artifacts.project_objects import ProjectObjects
from lexiclass_worker.artifacts.stored_project import StoredProject
from lexiclass_worker.causes import cause_of

# A request for some thousand documents, or what a manifest says of as many files.
_LONGEST_REQUEST: Final = 2**26

# One of these bytes or values is answered beside others, a larger one when no other is: what it
# takes here is not counted as its job's.
_SMALL_BYTES: Final = 2**20
_FEW_VALUES: Final = 20_000

# Each takes some 60 bytes when it is parsed: "[]," has three.
_MOST_VALUES: Final = 1_000_000

# At a time, for each process of a job: it waits for an answer, asks for a document in the midst of
# one, and leaves some that are given up a moment later.
_STREAMS_OF_A_PROCESS: Final = 4


_ANSWERED: Final = {
    ask: getattr(StoredProject, ask) for ask in vars(ProjectObjects) if not ask.startswith("_")
}


class Gateway:
    """The worker's end: answers a job until it is closed."""

    def __init__(self, project: StoredProject, num_processes: int = 1) -> None:
        self._project = project
        self._ours, self.childs = socket.socketpair()
        """The end for the child; whoever has sent it closes it."""
        self._free = Semaphore(_STREAMS_OF_A_PROCESS * (num_processes + 1))
        self._large = Lock()
        self._answering: set[socket.socket] = set()
        self._changing = Lock()
        self._is_closed = False
        Thread(target=self._accept, name="object-gateway", daemon=True).start()

    def close(self) -> None:
        """Answer nothing more, and release what the job has fetched."""
        self._is_closed = True
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        with self._changing:
            for stream in self._answering:
                with suppress(OSError):
                    stream.shutdown(socket.SHUT_RDWR)
        with self._project:
            pass

    def _accept(self) -> None:
        with self._ours, suppress(OSError):
            while True:
                data, descriptors, _, _ = socket.recv_fds(self._ours, 1, 1)
                if not data:
                    return
                for descriptor in descriptors:
                    try:
                        stream = socket.socket(fileno=descriptor)
                    except OSError:
                        os.close(descriptor)
                        continue
                    self._free.acquire()
                    self._begin(stream)

    def _begin(self, stream: socket.socket) -> None:
        with self._changing:
            if self._is_closed:
                stream.close()
                return
            self._answering.add(stream)
        Thread(target=self._serve, args=(stream,), daemon=True).start()

    def _serve(self, stream: socket.socket) -> None:
        try:
            # Whoever does not listen any more has ended, or wants no more of it. The other end may
            # be anything, and be made anything at any time.
            with suppress(OSError):
                self._answer(stream)
        finally:
            with self._changing:
                self._answering.discard(stream)
            stream.close()
            self._free.release()

    def _answer(self, stream: socket.socket) -> None:
        with ExitStack() as stack, stream.makefile("rb") as file:
            kind, size = messages.read_header(file, _LONGEST_REQUEST)
            if kind != messages.VALUE:
                return
            if is_large := size > _SMALL_BYTES:
                stack.enter_context(self._large)
            data = messages.read_data(file, size)
            num_values = sum(map(data.count, (b",", b"[", b"{")))
            if num_values > _FEW_VALUES and not is_large:
                stack.enter_context(self._large)
            self._answer_request(stream, data, num_values)

    def _answer_request(self, stream: socket.socket, data: bytes, num_values: int) -> None:
        try:
            request = _parse(data, num_values)
            ask = request.pop("ask")
            if ask == "read":
                self._answer_with_contents(stream, **request)
                return
            answer = _ANSWERED[ask](self._project, **request)
            if isinstance(answer, bytes):
                messages.write(stream, messages.BYTES, answer)
            else:
                messages.write(stream, messages.VALUE, json.dumps(answer, default=str).encode())
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:  # noqa: BLE001 - the boundary: the child is told, and fails with it
            logger.debug("The object store was asked in vain: {error}", error=cause_of(error))
            messages.write(stream, messages.ERROR, messages.encode_error(error, self._project.told))

    def _answer_with_contents(
        self, stream: socket.socket, paths: Sequence[str], max_bytes: int
    ) -> None:
        with closing(self._project.read(paths, max_bytes)) as contents:
            for content in contents:
                if isinstance(content, bytes):
                    messages.write(stream, messages.BYTES, content)
                else:
                    messages.write(
                        stream, messages.ERROR, messages.encode_error(content, self._project.told)
                    )


def _parse(data: bytes, num_values: int) -> dict[str, Any]:
    if num_values > _MOST_VALUES:
        raise ValueError(f"a request has more than {_MOST_VALUES} values")
    request: dict[str, Any] = json.loads(data)
    return request
