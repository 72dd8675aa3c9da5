"""Building an index of embeddings, from scratch or from what has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lexiclass.errors import NoDocuments
from lexiclass.index.embeddings.additions import Additions
from lexiclass.index.embeddings.configuration import EmbeddingConfiguration
from lexiclass.index.embeddings.previous import Previous
from lexiclass.index.generation import go_ahead
from lexiclass.index.manifest import Announce, tell_nobody
from lexiclass.index.source import DocumentSource, text_sources
from lexiclass.io import Document, UnreadableDocument
from lexiclass.plugins.base import EmbeddingExtractor
from lexiclass.stages import Progress, Stages


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingReport:
    """What a build did.

    Attributes:
        num_documents: Documents in the index now.
        embedded: Texts that were embedded.
        removed: Documents that were in it and are not among those given.
        failed: Documents that could not be read, and why; they are not in the index.
        dimension: Length of an embedding.
        num_shards: Files the embeddings are in.
        generation: Counts how often the index was replaced.
        rebuilt_because: Why nothing could be taken over although there was an index; else None.
        stage_seconds: Wall-clock seconds of ``open``, ``embed`` (with reading) and ``write``.
    """

    num_documents: int
    embedded: int
    removed: int
    failed: Mapping[int, str]
    dimension: int
    num_shards: int
    generation: int
    rebuilt_because: str | None
    stage_seconds: Mapping[str, float]


def build_embeddings(
    directory: Path,
    documents: DocumentSource | Iterable[Document | UnreadableDocument],
    *,
    feature_extractor: str,
    embedder: EmbeddingExtractor,
    is_incremental: bool = True,
    num_processes: int = 1,
    progress: Progress | None = None,
    before_publication: Callable[[], None] | None = None,
    announce: Announce = tell_nobody,
) -> EmbeddingReport:
    """Bring an index of embeddings up to date with the documents given, which are all there are.

    A content is embedded once, however many documents have it and whatever their ids. What is
    embedded is kept at once: a build that is killed leaves the old documents in place, and the
    next one goes on from where it was. A damaged file costs its own embeddings only. Only one build
    of a directory may run at a time.

    Args:
        directory: Made if it does not exist; see :class:`EmbeddingConfiguration` for its name.
        documents: A source, or documents that are read once, some million characters at a time.
            Ids are integers.
        feature_extractor: Name of the feature extractor.
        embedder: The feature extractor itself, prepared.
        is_incremental: Take over what is embedded already; otherwise embed everything.
        num_processes: Processes that look at the documents; see :mod:`lexiclass.processes`.
        progress: Told of every stage; for ``embed`` the number of documents done so far.
        before_publication: Called before each step that others could notice: replacing the
            manifest, removing old files. What it raises ends the build there, and what was
            embedded until then is kept.
        announce: See :func:`~lexiclass.index.build_index`.

    Raises:
        NoDocuments: If none are given; the index stays as it is.
        InvalidParameters: If two documents have one id, an id is not an integer, or a digest is
            not what it should be.
    """
    configuration = EmbeddingConfiguration.of(feature_extractor, embedder)
    directory.mkdir(parents=True, exist_ok=True)
    stages = Stages(progress)
    with stages.run("open"):
        previous = Previous.find(directory, configuration, embedder.versions())
        additions = Additions(
            previous,
            embedder,
            is_incremental=is_incremental,
            confirm=before_publication or go_ahead,
            announce=announce,
        )
    # A stream's length is known at its end only.
    total = len(documents.ids) if isinstance(documents, DocumentSource) else 0
    with stages.run("embed", total) as tell:
        sources = [documents] if isinstance(documents, DocumentSource) else text_sources(documents)
        for source in sources:
            additions.add(
                source, lambda done: tell(done, len(additions.ids)), num_processes=num_processes
            )
            num_processes = 1  # an encoder has threads by now, which don't survive a fork
    if not len(additions.ids):
        raise NoDocuments("There are no documents to index; add documents first.")
    with stages.run("write"):
        manifest = additions.publish()
    return EmbeddingReport(
        num_documents=manifest.documents.num_documents,
        embedded=additions.num_embedded,
        removed=previous.everything.count_without(additions.ids),
        failed=additions.failed,
        dimension=manifest.dimension,
        num_shards=len(manifest.shards),
        generation=manifest.generation,
        rebuilt_because=previous.reason,
        stage_seconds=stages.seconds,
    )
