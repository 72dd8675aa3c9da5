"""Training a model, in the sandbox."""

from typing import Any

from lexiclass import Document, NoDocuments, Pipeline, PipelineSpec, default_registry
from lexiclass_worker.ml.documents import read_documents
from lexiclass_worker.ml.jobs import TrainJob, ValidateJob
from lexiclass_worker.ml.reporting import Report, counted
from lexiclass_worker.ml.stopwatch import Stopwatch


def validate_pipeline(job: ValidateJob, report: Report) -> dict[str, Any]:
    """Say whether the pipeline can be made; the result is empty.

    Raises:
        LexiClassError: If a plugin does not exist or cannot be used, or a parameter is wrong.
    """
    del report
    default_registry().validate(PipelineSpec.model_validate(job.pipeline))
    return {}


def train_model(job: TrainJob, report: Report) -> dict[str, Any]:
    """Read the documents, fit the pipeline, save the model.

    Documents that cannot be read are left out and counted.

    Raises:
        LexiClassError: What the library refuses: plugins, parameters, too few documents.
    """
    pipeline = Pipeline(
        PipelineSpec.model_validate(job.pipeline), model_directory=job.pretrained_directory
    )
    watch = Stopwatch()
    texts: list[str] = []
    labels: list[str] = []
    with watch.stage("read"):
        documents = counted(
            read_documents(job.source, job.documents), report, "read", len(job.documents)
        )
        reason = ""
        for document, label in zip(documents, job.labels, strict=True):
            if isinstance(document, Document):
                texts.append(document.text)
                labels.append(label)
            else:
                reason = document.reason
    if not texts:
        raise NoDocuments(
            f"none of the {len(job.documents)} training documents could be read, "
            f"the last because: {reason}",
            details={"num_documents": 0, "num_skipped": len(job.documents)},
        )
    fitted = pipeline.fit(texts, labels, progress=report)
    with watch.stage("save"):
        report("save", 0, 1)
        pipeline.save(job.directory, metadata={**job.metadata, "class_ids": job.class_ids})
    return {
        "num_documents": fitted.num_documents,
        "num_classes": fitted.num_classes,
        "num_features": fitted.num_features,
        "num_skipped": len(job.documents) - len(texts),
        "seconds": {**watch.seconds, **fitted.stage_seconds},
    }
