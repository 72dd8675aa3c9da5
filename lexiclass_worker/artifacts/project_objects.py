"""What a job may have of an object store: one project's documents and its indexes.

The worker has the store's keys, and children none: they ask their worker, see
:mod:`lexiclass_worker.artifacts.gateway`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from lexiclass_worker.artifacts.document_objects import Contents, Look
from lexiclass_worker.artifacts.generations import Files

LONGEST_NAME: Final = 255
"""Characters of the name of a document, or of a file of an index."""


class ProjectObjects(Protocol):
    """One project in an object store. Every method raises OSError when the store fails."""

    def read(self, paths: Sequence[str], max_bytes: int) -> Contents:
        """The bytes of documents in order, no more than so many of each, or why there are none.

        Paths are relative to the storage's root.
        """
        ...

    def lists_by_prefix(self) -> bool:
        """Whether the store lists by the beginning of names."""
        ...

    def listed(self, folder: str, prefixes: Sequence[str] = ("",)) -> Mapping[str, Look]:
        """What listings of a folder say of each document in it, by name.

        Each has the documents whose names begin with a prefix; an empty prefix all of them, which
        is the only one for a store that does not list by others.
        """
        ...

    def looked_at(self, folder: str, names: Sequence[str]) -> Mapping[str, Look]:
        """What the store says of some documents of a folder when it is asked for each."""
        ...

    def index_names(self) -> list[str]:
        """The names of the project's indexes, whole or not."""
        ...

    def index_manifest(self, name: str) -> bytes | None:
        """The manifest of an index; None if there is no such index."""
        ...

    def fetch_index(self, name: str, files: Files, *, is_bounded: bool) -> bool:
        """Bring the copy of an index to the generation whose manifest was asked for last.

        Nobody else changes the copy until :meth:`release_index`.

        See :meth:`IndexCopy.fetch`.
        """
        ...

    def index_directory(self, name: str) -> Path:
        """Where the copy of an index is."""
        ...

    def drop_old_files(self, name: str, files: Files) -> None:
        """Remove from a copy that was fetched what its generation does not name."""
        ...

    def release_index(self, name: str) -> None:
        """Let others change the copy of an index."""
        ...

    def begin_build(self, name: str) -> Path:
        """The folder to build an index in, with the files of the copy that was fetched."""
        ...

    def fetch_claims(self, name: str) -> None:
        """Bring to that folder what is noted of shards that others have made for a build."""
        ...

    def fetch_shards(self, name: str, files: Files) -> None:
        """Bring such shards there; what is missing or damaged is left out."""
        ...

    def upload_build(self, name: str, files: Files) -> None:
        """Upload what is new of a finished build."""
        ...

    def stage_manifest(self, name: str) -> None:
        """Upload the manifest of a finished build to the place beside that of the current one."""
        ...

    def replace_manifest(self, name: str) -> None:
        """Make what was built, and staged, the current generation.

        Raises:
            FileNotFoundError: If a later build has begun meanwhile.
        """
        ...

    def has_staged_manifests(self, name: str) -> bool:
        """Whether an earlier build has left a manifest that it could still put in its place."""
        ...

    def revoke_staged_manifests(self, name: str) -> None:
        """Remove what earlier builds would put in the place of the manifest."""
        ...

    def conclude_build(self, name: str, files: Files) -> None:
        """Remove what no generation names any more, and make what was built the copy."""
        ...

    def remove_index(self, name: str) -> None:
        """Remove an index, and the copy of it."""
        ...
