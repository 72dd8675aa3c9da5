"""Reading one generation of an index."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from lexiclass.errors import ModelCorrupt, PluginMismatch
from lexiclass.index.store.files import Shard
from lexiclass.index.store.manifest import Configuration, GenerationManifest
from lexiclass.index.store.table import DocumentTable, read_table

ManifestT = TypeVar("ManifestT", bound=GenerationManifest)
ShardT = TypeVar("ShardT", bound=Shard[Any])


@dataclass(frozen=True, eq=False)
class StoredIndex(ABC, Generic[ManifestT, ShardT]):
    """One generation of an index. Its files are mapped into memory, not read.

    Builds go on beside it; it stays what it was when it was opened.
    """

    manifest_type: ClassVar[type[GenerationManifest]]

    directory: Path
    manifest: ManifestT
    table: DocumentTable
    shards: Sequence[ShardT]

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open the current generation.

        Lists of documents and terms are checked now, a shard's content when it is first read.

        Raises:
            ModelCorrupt: If a file is missing, has another size, or is not understood.
            PluginMismatch: If a newer version of this library wrote it.
        """
        manifest = cls.manifest_type.read(directory)
        while True:
            try:
                return cls._load(directory, manifest, table_of(directory, manifest))
            except ModelCorrupt:
                # A build that finished meanwhile has removed the files: then there is a newer
                # generation. Otherwise they are really gone.
                newer = cls.manifest_type.read(directory)
                if newer == manifest:
                    raise
                manifest = newer

    @classmethod
    @abstractmethod
    def _load(cls, directory: Path, manifest: Any, table: DocumentTable) -> Self: ...

    def __len__(self) -> int:
        return len(self.table)

    @property
    def ids(self) -> NDArray[np.int64]:
        """(num_documents,) document ids, ascending."""
        return self.table.ids

    @property
    def digests(self) -> NDArray[np.uint8]:
        """(num_documents, 16) digests of the documents' content."""
        return self.table.digests

    def verify(self) -> None:
        """Check every byte of the files against their checksums.

        Raises:
            ModelCorrupt: Naming the first file that was changed.
        """
        for shard in self.shards:
            shard.verify()

    def rows_of(self, ids: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of every document id, or -1 where it is not in the index."""
        return self.table.places_of(np.asarray(ids, dtype=np.int64))

    @abstractmethod
    def row_with(self, digest: bytes, row: int) -> int:
        """Return the row with a content, or -1; given the row where its document is, or -1."""

    def was_made_by(self, configuration: Configuration, libraries: Mapping[str, str]) -> bool:
        """Whether a plugin makes the same of documents here."""
        try:
            self.manifest.check_origin(configuration, libraries)
        except PluginMismatch:
            return False
        return True


def table_of(directory: Path, manifest: GenerationManifest) -> DocumentTable:
    """Read the documents of a generation.

    Raises:
        ModelCorrupt: If the table is missing, changed, or does not fit the shards.
    """
    sizes = [record.num_rows for record in manifest.shards]
    return read_table(directory, manifest.documents, sizes)
