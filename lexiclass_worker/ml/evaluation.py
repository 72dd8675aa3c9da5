"""Evaluating a model, in the sandbox."""

from typing import Any

from lexiclass import Document, NoDocuments, evaluate
from lexiclass_worker.ml.documents import read_documents
from lexiclass_worker.ml.jobs import EvaluateJob
from lexiclass_worker.ml.models import load_model
from lexiclass_worker.ml.reporting import Report, counted
from lexiclass_worker.ml.stopwatch import Stopwatch


def evaluate_model(job: EvaluateJob, report: Report) -> dict[str, Any]:
    """Predict the documents and compare with their labels.

    Documents that cannot be read are left out and counted.

    Raises:
        PluginMismatch: If the request expects another pipeline than the model's.
        ModelCorrupt: If the files are damaged.
        NoDocuments: If no document can be read.
    """
    watch = Stopwatch()
    with watch.stage("load"):
        pipeline, _ = load_model(job.model_directory, job.expected, job.pretrained_directory)
    with watch.stage("predict"):
        documents = counted(
            read_documents(job.source, job.documents), report, "predict", len(job.documents)
        )
        readable = [
            (document.text, label)
            for document, label in zip(documents, job.labels, strict=True)
            if isinstance(document, Document)
        ]
        if not readable:
            raise NoDocuments(
                f"none of the {len(job.documents)} test documents could be read",
                details={"num_skipped": len(job.documents)},
            )
        predictions = pipeline.predict((text for text, _ in readable), batch_size=job.batch_size)
    with watch.stage("evaluate"):
        report("evaluate", 0, 1)
        metrics = evaluate([label for _, label in readable], predictions)
    return {
        "metrics": metrics,
        "num_skipped": len(job.documents) - len(readable),
        "seconds": watch.seconds,
    }
