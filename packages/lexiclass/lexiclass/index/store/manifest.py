"""What an index is made of. The manifest is replaced last, so it always names whole files."""

from __future__ import annotations

import hashlib
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import ENOENT
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field

from lexiclass.atomic_write import is_staged, staged_file, sync
from lexiclass.checksums import FileRecord
from lexiclass.compatibility import check_versions
from lexiclass.errors import ModelCorrupt, PluginMismatch
from lexiclass.index.store.files import ShardRecord
from lexiclass.index.store.table import TableRecord
from lexiclass.regular_files import read_regular
from lexiclass.self_digest import MAX_MANIFEST_BYTES, StoredManifest, dump_with_digest
from lexiclass.serialization import canonical_json
from lexiclass.values import Value

#: Name of the manifest in an index directory.
INDEX_FILE = "index.json"

Announce = Callable[[str], None]
"""Told the SHA-256 of a manifest that is about to replace another; may raise."""


def tell_nobody(digest: str) -> None:
    """Announce a manifest where nobody keeps its digest."""
    del digest


def go_ahead() -> None:
    """Publish without asking: nobody else builds this index."""


def manifest_digest(directory: Path) -> str:
    """Return the SHA-256 of the manifest of the current generation, without parsing it.

    Raises:
        ModelCorrupt: If there is none, or it is no regular file or too long.
    """
    return hashlib.sha256(read_regular(directory / INDEX_FILE, MAX_MANIFEST_BYTES)).hexdigest()


def is_staged_manifest(name: str) -> bool:
    """Whether a file of an index is a manifest that waits to replace the one there is."""
    return is_staged(name, INDEX_FILE)


class Configuration(Value):
    """What makes two indexes the same kind: everything that decides their content."""

    plugin: ClassVar[str]
    key_digits: ClassVar[int]

    @property
    def digest(self) -> str:
        """Hexadecimal digits, different for every configuration."""
        return hashlib.sha256(canonical_json(self.model_dump())).hexdigest()[: self.key_digits]

    @property
    @abstractmethod
    def name(self) -> str:
        """The plugin and what else is told in :attr:`key`."""

    @property
    def key(self) -> str:
        """Directory name: readable, and different for every configuration."""
        return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', self.name)}-{self.digest}"


class GenerationManifest(StoredManifest):
    """Description of one generation of an index, of whatever."""

    file_name = INDEX_FILE
    # What names of data files look like, also of earlier formats, finished or not.
    data_file: ClassVar[re.Pattern[str]]

    format_version: int
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    generation: int = Field(ge=1, lt=2**62)
    configuration: Configuration
    documents: TableRecord
    shards: Sequence[ShardRecord]

    @property
    def files(self) -> dict[str, FileRecord]:
        """Every file beside the manifest."""
        files = self.documents.files
        for shard in self.shards:
            files |= shard.files
        return files

    @property
    @abstractmethod
    def libraries(self) -> Mapping[str, str]:
        """Libraries whose major version must be the same to go on from here."""

    def check_origin(self, configuration: Configuration, libraries: Mapping[str, str]) -> None:
        """Check that the content is what a plugin makes here.

        Raises:
            PluginMismatch: If it was made otherwise, or by other libraries.
        """
        if self.configuration != configuration:
            raise PluginMismatch(f"The index was made by {self.configuration.key}.")
        check_versions(self.configuration.plugin, self.libraries, libraries)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the manifest of the current generation and check that it is unchanged.

        Raises:
            ModelCorrupt: If it is missing, changed or not understood.
            PluginMismatch: If another version of this library wrote it, which lays it out
                otherwise.
        """
        return cls.from_bytes(read_regular(directory / INDEX_FILE, MAX_MANIFEST_BYTES))

    @classmethod
    def next_generation(cls, directory: Path) -> int:
        """Return the number that follows the current generation's; 1 if none can be read."""
        try:
            return cls.read(directory).generation + 1
        except (ModelCorrupt, PluginMismatch):
            return 1

    def write(self, directory: Path, announce: Announce) -> None:
        """Make this generation the current one, in one step.

        The file lies beside its place before it is announced. So a later build can see to it that
        this one, which may stall between the two, replaces nothing any more: it removes the file,
        see :func:`is_staged_manifest`. What the announcement raises leaves the old generation.

        Raises:
            FileNotFoundError: If a later build of the index has begun meanwhile.
        """
        data = dump_with_digest(self.model_dump(mode="json"))
        self._file_digest = hashlib.sha256(data).hexdigest()
        path = directory / INDEX_FILE
        with staged_file(path, data) as staged:
            announce(self._file_digest)
            try:
                staged.replace(path)
            except FileNotFoundError as error:
                reason = "a later build of the index has begun"
                raise FileNotFoundError(ENOENT, reason, str(path)) from error
        sync(directory)

    def remove_others(self, directory: Path) -> None:
        """Remove the files of earlier generations and of builds that were given up."""
        named = {INDEX_FILE, *self.files}
        for path in directory.iterdir():
            is_old = self.data_file.fullmatch(path.name) or is_staged_manifest(path.name)
            if path.name not in named and is_old:
                path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Publisher:
    """Makes generations of an index the current one, as far as it is allowed to.

    Each step that others could notice is confirmed before; what that raises ends it there.
    """

    directory: Path
    confirm: Callable[[], None] = go_ahead
    announce: Announce = tell_nobody

    def publish(self, manifest: GenerationManifest) -> None:
        """Replace the manifest."""
        self.confirm()
        manifest.write(self.directory, self.announce)

    def clean_up(self, manifest: GenerationManifest) -> None:
        """Remove what the current generation does not need."""
        self.confirm()
        manifest.remove_others(self.directory)
