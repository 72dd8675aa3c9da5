"""What a build of an index of embeddings goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lexiclass.compatibility import check_versions
from lexiclass.errors import ModelCorrupt, PluginMismatch
from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.embeddings.shard import EmbeddingShard, EmbeddingShardRecord
from lexiclass.index.manifest import Announce
from lexiclass.index.table import DocumentTable, read_table, write_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Previous:
    """What is there of an index.

    Attributes:
        directory: Where it is.
        configuration: What its embeddings are computed with.
        versions: Libraries that compute them here.
        manifest: That of the last generation; None if nothing could be taken over.
        everything: Documents that generation holds.
        table: Those of them whose embeddings are whole.
        shards: The whole shards.
        reason: Why nothing could be taken over although something was there; else None.
    """

    directory: Path
    configuration: EmbeddingConfiguration
    versions: Mapping[str, str]
    manifest: EmbeddingManifest | None
    everything: DocumentTable
    table: DocumentTable
    shards: Sequence[EmbeddingShard]
    reason: str | None

    @classmethod
    def find(
        cls, directory: Path, configuration: EmbeddingConfiguration, versions: Mapping[str, str]
    ) -> Previous:
        """Read the last generation, and verify every shard."""
        manifest, reason = None, None
        whole: dict[int, EmbeddingShard] = {}
        everything = table = DocumentTable.empty()
        if any(directory.iterdir()):
            try:
                manifest = _read(directory, configuration, versions)
                sizes = [record.num_embeddings for record in manifest.shards]
                everything = read_table(directory, manifest.documents, sizes)
            except (ModelCorrupt, PluginMismatch) as error:
                manifest, reason = None, error.message
        if manifest is not None:
            whole = _whole_shards(directory, manifest)
            numbers = np.full(len(manifest.shards), -1, dtype=np.int32)
            numbers[list(whole)] = np.arange(len(whole))
            table = everything.take(numbers[everything.shards] >= 0)
            table = replace(table, shards=numbers[table.shards])
        return cls(
            directory=directory,
            configuration=configuration,
            versions=dict(versions),
            manifest=manifest,
            everything=everything,
            table=table,
            shards=list(whole.values()),
            reason=reason,
        )

    @property
    def is_whole(self) -> bool:
        """Whether the last generation was found undamaged."""
        return self.manifest is not None and len(self.shards) == len(self.manifest.shards)

    def supersede(
        self,
        table: DocumentTable,
        shards: Sequence[EmbeddingShardRecord],
        dimension: int,
        announce: Announce,
    ) -> EmbeddingManifest:
        """Make documents and shards the current generation."""
        manifest = EmbeddingManifest(
            generation=EmbeddingManifest.last_generation(self.directory) + 1,
            configuration=self.configuration,
            versions=dict(self.versions),
            dimension=dimension,
            documents=write_table(self.directory, table),
            shards=list(shards),
        )
        manifest.write(self.directory, announce)
        return manifest


def _read(
    directory: Path, configuration: EmbeddingConfiguration, versions: Mapping[str, str]
) -> EmbeddingManifest:
    manifest = EmbeddingManifest.read(directory)
    check_versions("feature extractor", manifest.versions, versions)
    if manifest.configuration != configuration:
        raise PluginMismatch(f"The index was made by {manifest.configuration.key}.")
    return manifest


def _whole_shards(directory: Path, manifest: EmbeddingManifest) -> dict[int, EmbeddingShard]:
    whole = {}
    for number, record in enumerate(manifest.shards):
        try:
            shard = EmbeddingShard(directory, record, manifest.dimension)
            shard.verify()
        except ModelCorrupt:
            continue  # what it held is embedded again
        whole[number] = shard
    return whole
