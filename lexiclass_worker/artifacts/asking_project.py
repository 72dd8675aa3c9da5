"""What a child has of an object store: it asks its worker for it."""

import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexiclass_worker.artifacts import messages
from lexiclass_worker.artifacts.document_objects import Contents, Look
from lexiclass_worker.artifacts.generations import Files
from lexiclass_worker.artifacts.project_objects import ProjectObjects


@dataclass(frozen=True, slots=True)
class AskingProject(ProjectObjects):
    """The other end of a :class:`~lexiclass_worker.artifacts.gateway.Gateway`.

    Attributes:
        worker: The socket that was given to the child. Processes that it forks share it.
    """

    worker: socket.socket

    def read(self, paths: Sequence[str], max_bytes: int) -> Contents:
        request = {"ask": "read", "paths": paths, "max_bytes": max_bytes}
        with closing(self._request(request)) as stream, stream.makefile("rb") as file:
            for _ in paths:
                kind, data = messages.read(file)
                if kind == messages.BYTES:
                    yield data
                    continue
                error = messages.decode_error(data)
                if not isinstance(error, OSError):
                    raise error
                yield error

    def lists_by_prefix(self) -> bool:
        return bool(self._ask("lists_by_prefix"))

    def listed(self, folder: str, prefixes: Sequence[str] = ("",)) -> Mapping[str, Look]:
        return self._looks({"ask": "listed", "folder": folder, "prefixes": list(prefixes)})

    def looked_at(self, folder: str, names: Sequence[str]) -> Mapping[str, Look]:
        return self._looks({"ask": "looked_at", "folder": folder, "names": list(names)})

    def index_names(self) -> list[str]:
        found: list[str] = self._ask("index_names")
        return found

    def index_manifest(self, name: str) -> bytes | None:
        found: bytes | None = self._ask("index_manifest", name=name)
        return found

    def fetch_index(self, name: str, files: Files, *, is_bounded: bool) -> bool:
        return bool(self._ask("fetch_index", name=name, files=files, is_bounded=is_bounded))

    def index_directory(self, name: str) -> Path:
        return Path(self._ask("index_directory", name=name))

    def drop_old_files(self, name: str, files: Files) -> None:
        self._ask("drop_old_files", name=name, files=files)

    def release_index(self, name: str) -> None:
        self._ask("release_index", name=name)

    def begin_build(self, name: str) -> Path:
        return Path(self._ask("begin_build", name=name))

    def fetch_claims(self, name: str) -> None:
        self._ask("fetch_claims", name=name)

    def fetch_shards(self, name: str, files: Files) -> None:
        self._ask("fetch_shards", name=name, files=files)

    def upload_build(self, name: str, files: Files) -> None:
        self._ask("upload_build", name=name, files=files)

    def stage_manifest(self, name: str) -> None:
        self._ask("stage_manifest", name=name)

    def has_staged_manifests(self, name: str) -> bool:
        return bool(self._ask("has_staged_manifests", name=name))

    def revoke_staged_manifests(self, name: str) -> None:
        self._ask("revoke_staged_manifests", name=name)

    def replace_manifest(self, name: str) -> None:
        self._ask("replace_manifest", name=name)

    def conclude_build(self, name: str, files: Files) -> None:
        self._ask("conclude_build", name=name, files=files)

    def remove_index(self, name: str) -> None:
        self._ask("remove_index", name=name)

    def _looks(self, request: Mapping[str, Any]) -> Mapping[str, Look]:
        found = self._ask(**request)
        return {name: (stamp, size) for name, (stamp, size) in found.items()}

    def _ask(self, ask: str, **arguments: Any) -> Any:
        with (
            closing(self._request({"ask": ask, **arguments})) as stream,
            stream.makefile("rb") as file,
        ):
            kind, data = messages.read(file)
        if kind == messages.ERROR:
            raise messages.decode_error(data)
        return data if kind == messages.BYTES else json.loads(data)

    def _request(self, request: Mapping[str, Any]) -> socket.socket:
        ours, workers = socket.socketpair()
        with workers:
            socket.send_fds(self.worker, [b"\0"], [workers.fileno()])
        try:
            data = json.dumps(request).encode()
            messages.write(ours, messages.VALUE, data)
        except BaseException:
            ours.close()
            raise
        return ours
