"""Indexing what a pretrained encoder makes of a project's documents, in the sandbox."""

from pathlib import Path
from typing import Any

from lexiclass import (
    EmbeddingExtractor,
    FeatureExtractor,
    InvalidParameters,
    PluginContext,
    PluginMismatch,
    default_registry,
)
from lexiclass.index.embeddings import EmbeddingConfiguration, build_embeddings
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass_core import layout
from lexiclass_worker.jobs.indexing import EmbedJob, FindEncoderJob
from lexiclass_worker.jobs.supervision import ReportProgress, Supervision
from lexiclass_worker.ml import index_files
from lexiclass_worker.ml.documents import StoredDocuments


def find_encoder(job: FindEncoderJob, _report: ReportProgress) -> dict[str, Any]:
    """Return the ``key`` of the index for what the request names.

    Raises:
        LexiClassError: If there is no such feature extractor or encoder, or it learns from the
            training documents.
    """
    embedder = make_embedder(job.feature_extractor, job.parameters, job.pretrained_directory)
    return {"key": EmbeddingConfiguration.of(job.feature_extractor, embedder).key}


def build_project_embeddings(job: EmbedJob, report: Supervision) -> dict[str, Any]:
    """Bring the index up to date with the documents, which are all there are.

    Raises:
        PluginMismatch: If the encoder was replaced since it was found.
        LexiClassError: What the library refuses.
        OSError: If the storage fails.
    """
    embedder = make_embedder(job.feature_extractor, job.parameters, job.pretrained_directory)
    if EmbeddingConfiguration.of(job.feature_extractor, embedder).key != job.key:
        raise PluginMismatch("The encoder was replaced while its index was made; index again.")

    def tell(stage: str, done: int, total: int) -> None:
        if stage == "embed":
            report("embed", done, total)

    name = layout.embeddings_directory(0, job.key).name
    confirm = report.ask_to_publish
    with index_files.building(job.indexes, name, EmbeddingManifest.read, confirm) as building:
        built = build_embeddings(
            building.directory,
            StoredDocuments(job.source, job.documents),
            feature_extractor=job.feature_extractor,
            embedder=embedder,
            is_incremental=job.is_incremental,
            num_processes=job.num_processes,
            progress=tell,
            before_publication=confirm,
            announce=building.announce,
        )
    return {
        "digests": {name: index_files.stored_digest(job.indexes, name)},
        "counts": {
            "num_documents": built.num_documents,
            "embedded": built.embedded,
            "removed": built.removed,
            "dimension": built.dimension,
        },
        "seconds": dict(built.stage_seconds),
    }


def make_embedder(
    feature_extractor: str, parameters: dict[str, Any], pretrained_directory: Path
) -> EmbeddingExtractor:
    """Make a feature extractor and have it find its encoder.

    Raises:
        InvalidParameters: If it learns from the training documents, or a parameter is wrong.
        PluginNotFound: If there is none of that name.
        PluginUnavailable: If what it needs is not installed or not on this machine.
    """
    embedder = default_registry().create(
        FeatureExtractor,  # type: ignore[type-abstract]  # only compared with
        feature_extractor,
        parameters,
        PluginContext(model_directory=pretrained_directory),
    )
    if not isinstance(embedder, EmbeddingExtractor):
        raise InvalidParameters(
            f"The feature extractor {feature_extractor!r} learns from the training documents of "
            "each model, so there is nothing to index. Leave it out: every index of tokens serves "
            "it. One that can be indexed is 'sbert'.",
            details={"feature_extractor": feature_extractor},
        )
    embedder.prepare()
    return embedder
