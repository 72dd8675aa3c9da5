"""One project in an object store, asked itself; for whoever may have been taken over."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from errno import EACCES
from pathlib import Path
from threading import Lock
from typing import Any, Final
from uuid import uuid4

import fsspec

from lexiclass_core import layout
from lexiclass_worker.artifacts.document_objects import Contents, DocumentObjects, Look
from lexiclass_worker.artifacts.generations import Checksum, Files
from lexiclass_worker.artifacts.index_copies import IndexCopy
from lexiclass_worker.artifacts.project_objects import LONGEST_NAME, ProjectObjects

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\\\x22'<>]+")

# A job works with one or two at a time. The lock of each is an open file of the worker's.
_MOST_HELD: Final = 16


class StoredProject(ProjectObjects):
    """Asks the store itself; a context manager, which releases all copies at its end.

    Whoever asks may have been taken over by what it reads: it names nothing of another project,
    and only who writes indexes changes any.

    Args:
        root: URL of the storage.
        document_bytes: Largest document that is read; one more byte tells that it is larger.
        is_writer: Whether indexes may be changed.
        redact: Hides secrets in what is told of the store's errors.
    """

    def __init__(
        self,
        root: str,
        project_id: int,
        *,
        cache_directory: Path,
        cache_bytes: int,
        document_bytes: int,
        is_writer: bool,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._fs: Any
        # A listing cached before another worker wrote would hide what it wrote.
        self._fs, base = fsspec.core.url_to_fs(root, use_listings_cache=False)
        base = base.rstrip("/")
        self._project = str(layout.project_root(project_id))
        self._documents = DocumentObjects(self._fs, base, self._require_going_on)
        indexes = layout.indexes_directory(project_id)
        self._folder, self._url = f"{base}/{indexes}", f"{root}/{indexes}"
        self._cache = cache_directory
        self._cache_bytes = cache_bytes
        self._document_bytes = document_bytes
        self._is_writer = is_writer
        self._root, self._redact = root, redact
        self._job = uuid4().hex
        self._changing = Lock()
        self._manifests: dict[str, bytes | None] = {}
        self._held: dict[str, ExitStack] = {}
        self._waiting = 0
        self._has_ended = False

    def __enter__(self) -> "StoredProject":
        return self

    def __exit__(self, *_: object) -> None:
        with self._changing:
            self._has_ended = True
        for name in list(self._held):
            self.release_index(name)

    def told(self, text: str) -> str:
        """What a child is told of a text: no secret, and no address but that of the storage."""
        kept = self._redact(text).split(self._root)
        return self._root.join(_ADDRESS.sub("***", each) for each in kept)

    def read(self, paths: Iterable[str], max_bytes: int) -> Contents:
        bounded = max(0, min(int(max_bytes), self._document_bytes + 1))
        return self._documents.read(map(self._within, paths), bounded)

    def lists_by_prefix(self) -> bool:
        return self._documents.lists_by_prefix

    def listed(self, folder: str, prefixes: Iterable[str] = ("",)) -> Mapping[str, Look]:
        checked = [prefix and _component(prefix) for prefix in prefixes]
        return self._documents.listed(self._within(folder), checked)

    def looked_at(self, folder: str, names: Iterable[str]) -> Mapping[str, Look]:
        return self._documents.looked_at(self._within(folder), map(_component, names))

    def index_names(self) -> list[str]:
        try:
            entries = self._fs.ls(self._folder, detail=True)
        except FileNotFoundError:
            return []
        return sorted(
            entry["name"].rstrip("/").rpartition("/")[2]
            for entry in entries
            if entry["type"] == "directory"
        )

    def index_manifest(self, name: str) -> bytes | None:
        manifest = self._copy(name).manifest()
        with self._changing:
            self._manifests.pop(name, None)
            self._manifests[name] = manifest
            while len(self._manifests) > _MOST_HELD:
                del self._manifests[next(iter(self._manifests))]
        return manifest

    def fetch_index(self, name: str, files: Files, *, is_bounded: bool) -> bool:
        manifest = self._manifests.get(name)
        if manifest is None:
            raise FileNotFoundError(f"{self._url}/{name}")
        copy = self._held_copy(name)
        # Only who builds on an index needs it whatever it takes.
        return copy.fetch(manifest, _checked(files), is_bounded=is_bounded or not self._is_writer)

    def index_directory(self, name: str) -> Path:
        return self._copy(name).directory

    def drop_old_files(self, name: str, files: Files) -> None:
        with self._changing:
            is_held = name in self._held
        if not is_held:
            raise PermissionError(EACCES, "not an index that was fetched", name)
        self._copy(name).drop_all_but(files)

    def release_index(self, name: str) -> None:
        with self._changing:
            held = self._held.pop(name, None)
        if held is not None:
            held.close()

    def begin_build(self, name: str) -> Path:
        self._require_writer()
        copy = self._held_copy(name)
        copy.begin_build(self._manifests.get(name))
        return copy.working

    def fetch_claims(self, name: str) -> None:
        self._require_writer()
        self._copy(name).fetch_claims()

    def fetch_shards(self, name: str, files: Files) -> None:
        self._require_writer()
        self._copy(name).fetch_shards(_checked(files))

    def upload_build(self, name: str, files: Files) -> None:
        self._require_writer()
        self._copy(name).upload(_checked(files))

    def stage_manifest(self, name: str) -> None:
        self._require_writer()
        self._copy(name).stage_manifest(self._job)

    def replace_manifest(self, name: str) -> None:
        self._require_writer()
        self._copy(name).replace_manifest(self._job)

    def has_staged_manifests(self, name: str) -> bool:
        return bool(self._copy(name).staged_manifests())

    def revoke_staged_manifests(self, name: str) -> None:
        self._require_writer()
        self._copy(name).revoke_staged_manifests()

    def conclude_build(self, name: str, files: Files) -> None:
        self._require_writer()
        self.release_index(name)
        self._copy(name).conclude_build(_checked(files))

    def remove_index(self, name: str) -> None:
        self._require_writer()
        self.release_index(name)
        self._copy(name).remove()

    def _copy(self, name: str) -> IndexCopy:
        _component(name)
        return IndexCopy(
            self._fs,
            f"{self._folder}/{name}",
            f"{self._url}/{name}",
            self._cache,
            self._project,
            self._cache_bytes,
            require_wanted=self._require_going_on,
        )

    def _held_copy(self, name: str) -> IndexCopy:
        """The copy of an index, which is locked for this job from now on."""
        copy = self._copy(name)
        with self._changing:
            if name in self._held:
                return copy
            if len(self._held) + self._waiting >= _MOST_HELD:
                raise PermissionError(EACCES, "more indexes than are worked with at a time", name)
            self._waiting += 1
        try:
            with ExitStack() as stack:
                stack.enter_context(copy.lock())
                with self._changing:
                    self._require_going_on()
                    self._held[name] = stack.pop_all()
        finally:
            with self._changing:
                self._waiting -= 1
        return copy

    def _within(self, path: str) -> str:
        parts = path.split("/")
        if parts[0] != self._project or not {"", ".", ".."}.isdisjoint(parts) or "\0" in path:
            raise PermissionError(EACCES, "not a path of the project", path)
        return path

    def _require_writer(self) -> None:
        if not self._is_writer:
            raise PermissionError(EACCES, "this task changes no index", self._url)
        self._require_going_on()

    def _require_going_on(self) -> None:
        """Raise once the job has ended: what it asked for and is under way ends, too."""
        if self._has_ended:
            raise ConnectionAbortedError("the job has ended")


def _checked(files: Files) -> Files:
    return {_component(name): Checksum(int(size), str(sha)) for name, (size, sha) in files.items()}


def _component(name: str) -> str:
    """A name, if it is of one file or folder, and leads nowhere else."""
    if (
        name in {"", ".", ".."}
        or not {"/", "\\", "\0"}.isdisjoint(name)
        or len(name) > LONGEST_NAME
    ):
        raise PermissionError(EACCES, "not a name of a file", name)
    return name
