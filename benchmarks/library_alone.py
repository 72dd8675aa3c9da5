"""What the library alone makes of a project's documents: no worker, no task, no object store.

What several machines came to is held against it, to the byte. The documents are read from the
folder that the object store serves, and stamped as the worker stamps that store's objects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.object_server import object_tag
from lexiclass import Document, DocumentLoader, Pipeline, PipelineSpec, UnreadableDocument
from lexiclass.index import (
    DocumentIndex,
    ManyNewDocuments,
    NewShard,
    Survey,
    build_index,
    read_tokens,
    write_shards,
)
from lexiclass_core.layout import document_file_name
from lexiclass_worker.artifacts.document_objects import look_at

_BATCH = 8_192


class StoredFolder:
    """Documents in files named by their ids, as the object store says they are.

    Args:
        folder: Holds them.
        ids: (n,) of the documents.
    """

    def __init__(self, folder: Path, ids: NDArray[np.int64]) -> None:
        self._folder = folder
        self._loader = DocumentLoader()
        self.ids = ids

    def survey(self, positions: NDArray[np.int64]) -> Survey:
        """See :class:`lexiclass.index.DocumentSource`."""
        looks = [self._look(path) for path in self._paths(positions)]
        stamps, sizes = np.array(looks, dtype=np.int64).reshape(-1, 2).T
        return Survey(stamps, sizes)

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document | UnreadableDocument]:
        """See :class:`lexiclass.index.DocumentSource`."""
        ids = self.ids[positions].tolist()
        return self._loader.stream(zip(ids, self._paths(positions), strict=True))

    def _paths(self, positions: NDArray[np.int64]) -> list[Path]:
        return [self._folder / document_file_name(each) for each in self.ids[positions].tolist()]

    @staticmethod
    def _look(path: Path) -> tuple[int, int]:
        status = path.stat()
        entry = {"type": "file", "size": status.st_size, "ETag": object_tag(status)}
        return look_at(entry, newest=0.0)


@dataclass(frozen=True, slots=True)
class Alone:
    """What the library makes of documents in one process.

    Attributes:
        documents: All of them.
        directory: An index and a model are made here.
    """

    documents: StoredFolder
    directory: Path

    @property
    def index(self) -> Path:
        """Folder of the index."""
        return self.directory / "index"

    @property
    def model(self) -> Path:
        """Folder of the model."""
        return self.directory / "model"

    def build_index(self, tokenizer: str, locale: str, *, most_documents: int) -> None:
        """Index all documents, no more of them in a shard than in a chunk of the workers."""
        build = partial(
            build_index,
            self.index,
            self.documents,
            tokenizer=tokenizer,
            locale=locale,
            build="alone",
        )
        try:
            build(most_new=most_documents)
        except ManyNewDocuments as many:
            shards = [
                NewShard(f"shard-{number:032x}", np.searchsorted(self.documents.ids, ids))
                for number, ids in enumerate(many.shards)
            ]
            write_shards(
                self.index,
                self.documents,
                shards,
                build="alone",
                tokenizer=tokenizer,
                locale=locale,
            )
            build()

    def train(self, spec: PipelineSpec, labels: Mapping[int, str]) -> None:
        """Train a model on the documents that have a label, in the order of their ids."""
        pipeline = Pipeline(spec)
        positions = np.flatnonzero(np.isin(self.documents.ids, list(labels)))
        ids = self.documents.ids[positions]
        read = read_tokens(pipeline, self.documents, positions, DocumentIndex.open(self.index))
        named = [labels[each] for each in ids.tolist()]
        pipeline.fit_tokens(read.tokens, named, digests=read.digests)
        pipeline.save(self.model, document_ids=ids)

    def predict(self) -> Iterator[tuple[int, str, float]]:
        """Yield id, class and confidence of each document, of as many digits as a worker writes."""
        pipeline = Pipeline.load(self.model)
        index = DocumentIndex.open(self.index)
        for start in range(0, len(self.documents.ids), _BATCH):
            positions = np.arange(start, min(start + _BATCH, len(self.documents.ids)))
            read = read_tokens(pipeline, self.documents, positions, index)
            predictions = pipeline.predict_tokens(read.tokens)
            for number, code, confidence in zip(
                self.documents.ids[read.positions].tolist(),
                predictions.codes.tolist(),
                predictions.confidence.tolist(),
                strict=True,
            ):
                yield number, predictions.classes[code], float(f"{confidence:.6g}")


def class_ids_of(model: Path) -> dict[str, int]:
    """Ids of the classes of a model that a worker has saved."""
    manifest = json.loads((model / "manifest.json").read_text())
    found: dict[str, int] = manifest["metadata"]["class_ids"]
    return found
