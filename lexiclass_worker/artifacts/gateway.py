"""How a child has something of an object store: its worker asks the store.

A request travels on a stream of its own, whose end the child has sent its worker over the one
socket that was given to it. So every process that the child has forked can ask, and whoever loses
interest closes the stream. A request is JSON; an answer is JSON, or some contents of documents.
"""

import json
import os
import socket
from collections.abc import Sequence
from contextlib import closing, suppress
from threading import Lock, Semaphore, Thread
from typing import Final

from loguru import logger

from lexiclass_worker.artifacts import messages
from lexiclass_worker.artifacts.project_objects import ProjectObjects, StoredProject
from lexiclass_worker.causes import cause_of

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
            kind, data = messages.read(file, _LONGEST_REQUEST)
        if kind != messages.VALUE:
            return
        try:
            request = json.loads(data)
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
            messages.write(stream, messages.ERROR, messages.encode_error(error))

    def _answer_with_contents(
        self, stream: socket.socket, paths: Sequence[str], max_bytes: int
    ) -> None:
        with closing(self._project.read(paths, max_bytes)) as contents:
            for content in contents:
                if isinstance(content, bytes):
                    messages.write(stream, messages.BYTES, content)
                else:
                    messages.write(stream, messages.ERROR, messages.encode_error(content))
