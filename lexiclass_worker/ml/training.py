"""Training a model, in the sandbox."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lexiclass import (
    Document,
    DocumentIndex,
    FitReport,
    NoDocuments,
    Pipeline,
    PipelineSpec,
    PluginType,
    TokenMatrix,
    default_registry,
)
from lexiclass_worker.jobs.supervision import ReportProgress, Supervision
from lexiclass_worker.jobs.training import TrainJob, ValidateJob
from lexiclass_worker.ml.documents import StoredDocuments, read_documents
from lexiclass_worker.ml.index import (
    Index,
    count_origins,
    open_index,
    read_as_embeddings,
    read_as_tokens,
)
from lexiclass_worker.ml.memory import estimate_for, measure, require_memory
from lexiclass_worker.ml.reporting import counted
from lexiclass_worker.ml.scoring import EmptyDocuments
from lexiclass_worker.ml.stopwatch import Stopwatch
from lexiclass_worker.ml.suspects import add_terms, suspects_in


class _Trained(NamedTuple):
    """What a training comes to, and the documents that the pipeline was given.

    Attributes:
        ids: (n,) of the documents.
        documents: The n documents, where their terms can be looked at.
    """

    ids: NDArray[np.int64]
    fitted: FitReport
    origins: dict[str, int]
    empty: EmptyDocuments
    documents: TokenMatrix | list[str] | None


def validate_pipeline(job: ValidateJob, _report: ReportProgress) -> dict[str, Any]:
    """Say whether the pipeline can be made, and what its training counts in.

    Raises:
        LexiClassError: If a plugin does not exist or cannot be used, or a parameter is wrong.
    """
    registry = default_registry()
    spec = registry.validate(PipelineSpec.model_validate(job.pipeline))
    return {"training_unit": registry.stages(spec)[PluginType.CLASSIFIER].training_unit}


def train_model(job: TrainJob, report: Supervision) -> dict[str, Any]:
    """Read the documents, fit the pipeline, save the model.

    Documents that cannot be read are left out and counted.

    Raises:
        LexiClassError: What the library refuses: plugins, parameters, too few documents.
    """
    pipeline = Pipeline(
        PipelineSpec.model_validate(job.pipeline),
        model_directory=job.pretrained_directory,
        num_processes=job.num_processes,
    )
    watch = Stopwatch()
    if pipeline.uses_tokens:
        train = _train_on_tokens
    else:
        train = _train_on_texts if pipeline.embedder is None else _train_on_embeddings
    trained = train(pipeline, job, report, watch)
    fitted = trained.fitted
    with watch.stage("save"):
        report("save", 0, 1)
        saved = pipeline.save(
            job.directory,
            metadata={**job.metadata, "class_ids": job.class_ids},
            document_ids=trained.ids,
        )
    suspects = _suspects(pipeline, trained)
    return {
        "manifest_digest": saved.file_digest,
        "metrics": {
            "num_documents": fitted.num_documents,
            "num_classes": fitted.num_classes,
            "num_features": fitted.num_features,
            "num_calibration_documents": fitted.num_calibration_documents,
            "num_skipped": len(job.documents) - fitted.num_documents,
            **trained.empty.summary(),
            "seconds": {**watch.seconds, **fitted.stage_seconds},
            "label_suspects": suspects["summary"],
        },
        "suspects": suspects["found"],
        "origins": trained.origins,
    }


def _suspects(pipeline: Pipeline, trained: _Trained) -> dict[str, Any]:
    """Find the labels that look wrong, and which terms say so."""
    evidence = pipeline.evidence
    if evidence is None:
        return suspects_in(None, pipeline.classes)
    suspects = suspects_in(evidence.named(trained.ids), pipeline.classes)
    found = suspects["found"]
    if found and trained.documents is not None:
        rows = {number: row for row, number in enumerate(trained.ids.tolist())}
        wanted = [rows[each["document"]] for each in found]
        documents = trained.documents
        some = (
            documents.take(np.array(wanted))
            if isinstance(documents, TokenMatrix)
            else [documents[row] for row in wanted]
        )
        add_terms(found, pipeline, some)
    return suspects


def _train_on_tokens(
    pipeline: Pipeline, job: TrainJob, report: Supervision, watch: Stopwatch
) -> _Trained:
    """Take from the index what it holds, and tokenize the rest."""
    with watch.stage("read"):
        stored = StoredDocuments(job.source, job.documents)
        index = open_index(job.indexes, pipeline, report)
        if job.memory_bytes is not None:
            _require_memory(pipeline, job, stored, index, limit_bytes=job.memory_bytes)
        documents = read_as_tokens(
            pipeline,
            stored,
            np.arange(len(job.documents)),
            index,
            num_processes=job.num_processes,
            report=report,
        )
    _require_some(len(documents.positions), job, next(iter(documents.failed.values()), ""))
    labels = [job.labels[position] for position in documents.positions.tolist()]
    empty = EmptyDocuments()
    ids = stored.ids[documents.positions]
    empty.note(ids, documents.tokens.lengths == 0)
    fitted = pipeline.fit_tokens(
        documents.tokens, labels, digests=documents.digests, progress=report
    )
    return _Trained(ids, fitted, count_origins(documents), empty, documents.tokens)


def _train_on_embeddings(
    pipeline: Pipeline, job: TrainJob, report: Supervision, watch: Stopwatch
) -> _Trained:
    """Take from the index what it holds, and embed the rest."""
    embedder = pipeline.require_embedder()
    embedder.prepare()
    with watch.stage("features"):
        report("features", 0, 1)
        stored = StoredDocuments(job.source, job.documents)
        documents = read_as_embeddings(
            embedder,
            stored,
            np.arange(len(job.documents)),
            open_index(job.indexes, pipeline, report),
            num_processes=job.num_processes,
            progress=lambda done, total: report("features", done, total),
        )
        report("features", 1, 1)
    _require_some(len(documents.positions), job, next(iter(documents.failed.values()), ""))
    labels = [job.labels[position] for position in documents.positions.tolist()]
    fitted = pipeline.fit_embeddings(
        documents.embeddings, labels, digests=documents.digests, progress=report
    )
    # Embeddings do not tell of what.
    empty = EmptyDocuments()
    empty.note(documents.positions, None)
    ids = stored.ids[documents.positions]
    return _Trained(ids, fitted, count_origins(documents), empty, None)


def _train_on_texts(
    pipeline: Pipeline, job: TrainJob, report: Supervision, watch: Stopwatch
) -> _Trained:
    """Read all texts, which the pipeline wants to see themselves."""
    ids: list[int] = []
    texts: list[str] = []
    labels: list[str] = []
    blank: list[int] = []
    reason = ""
    with watch.stage("read"):
        documents = counted(
            read_documents(job.source, job.documents), report, "read", len(job.documents)
        )
        for document, label in zip(documents, job.labels, strict=True):
            if isinstance(document, Document):
                ids.append(int(document.id))
                texts.append(document.text)
                labels.append(label)
                if not document.text.strip():
                    blank.append(int(document.id))
            else:
                reason = document.reason
    _require_some(len(texts), job, reason)
    empty = EmptyDocuments()
    empty.note(np.array(blank, dtype=np.int64), np.ones(len(blank), dtype=np.bool_))
    fitted = pipeline.fit(texts, labels, progress=report)
    return _Trained(np.array(ids, dtype=np.int64), fitted, {}, empty, texts)


def _require_memory(
    pipeline: Pipeline,
    job: TrainJob,
    stored: StoredDocuments,
    index: Index | None,
    *,
    limit_bytes: int,
) -> None:
    """Refuse what cannot fit, as far as it can be told before it is read."""
    size = measure(stored, index if isinstance(index, DocumentIndex) else None)
    estimate = estimate_for(
        pipeline.spec,
        size,
        num_documents=len(job.documents),
        num_classes=len(set(job.labels)),
        num_processes=job.num_processes,
    )
    if estimate is not None:
        require_memory(estimate, limit_bytes=limit_bytes)


def _require_some(num_readable: int, job: TrainJob, reason: str) -> None:
    if num_readable == 0:
        raise NoDocuments(
            f"none of the {len(job.documents)} training documents could be read, "
            f"one of them because: {reason}",
            details={"num_documents": 0, "num_skipped": len(job.documents)},
        )
