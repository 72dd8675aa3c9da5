"""Predicting documents, in the sandbox."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import IO, Any

from lexiclass import Manifest, ModelCorrupt, Pipeline, Predictions
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.index import open_index
from lexiclass_worker.ml.jobs import PredictJob
from lexiclass_worker.ml.models import load_model
from lexiclass_worker.ml.reporting import Report
from lexiclass_worker.ml.scoring import score
from lexiclass_worker.ml.stopwatch import Stopwatch


def predict_documents(job: PredictJob, report: Report) -> dict[str, Any]:
    """Predict in batches, writing the history and the rows as it goes.

    Raises:
        PluginMismatch: If the request expects another pipeline than the model's.
        ModelCorrupt: If the files are damaged, or the field has lost a class the model predicts.
    """
    watch = Stopwatch()
    report("load", 0, 1)
    with watch.stage("load"):
        pipeline, manifest = load_model(job.model_directory, job.expected, job.pretrained_directory)
        class_ids = _class_ids(pipeline, manifest, job)
    documents = StoredDocuments(job.source, job.documents)
    failed: dict[int, str] = {}
    origins: Counter[str] = Counter()
    done = 0
    report("predict", done, len(job.documents))
    with job.history.open("w", encoding="utf-8") as history, job.rows.open("w") as rows:
        writer = _Writer(pipeline.classes, class_ids, job.model_version, history, rows)
        batches = score(
            pipeline, documents, open_index(job.indexes, pipeline), batch_size=job.batch_size
        )
        for batch in watch.each("predict", batches):
            with watch.stage("write"):
                writer.write(documents.ids[batch.positions].tolist(), batch.predictions)
            failed |= batch.failed
            origins += batch.origins
            done += len(batch.positions) + len(batch.failed)
            report("predict", done, len(job.documents))
    return {
        "unreadable": list(failed.items()),
        "origins": origins,
        "seconds": watch.seconds,
    }


def _class_ids(pipeline: Pipeline, manifest: Manifest, job: PredictJob) -> dict[str, int]:
    class_ids: Mapping[str, int] = manifest.metadata.get("class_ids", {})
    there = set(job.class_ids)
    lost = [name for name in pipeline.classes if class_ids.get(name) not in there]
    if lost:
        raise ModelCorrupt(
            "manifest.json",
            f"the model predicts classes that the field no longer has ({', '.join(lost[:5])}): "
            "train a new version",
        )
    return {name: class_ids[name] for name in pipeline.classes}


class _Writer:
    """Writes predictions as JSON lines and as rows; one template formats a line at C speed."""

    def __init__(
        self,
        classes: tuple[str, ...],
        class_ids: Mapping[str, int],
        model_version: int,
        history: IO[str],
        rows: IO[str],
    ) -> None:
        self._history, self._rows = history, rows
        self._class_ids = [class_ids[name] for name in classes]
        self._names = [json.dumps(name, ensure_ascii=False) for name in classes]
        scores = ", ".join(f"{name.replace('%', '%%')}: %.6g" for name in self._names)
        self._line = (
            '{"document_id": %d, "class_id": %d, "predicted_class": %s, "confidence": %.6g, '
            f'"scores": {{{scores}}}, "model_version": {model_version}}}\n'
        )

    def write(self, document_ids: list[Any], predictions: Predictions) -> None:
        codes = predictions.codes.tolist()
        confidence = predictions.confidence.tolist()
        class_ids = list(map(self._class_ids.__getitem__, codes))
        names = map(self._names.__getitem__, codes)
        columns = predictions.probabilities.T.tolist()
        lines = zip(document_ids, class_ids, names, confidence, *columns, strict=True)
        self._history.writelines(map(self._line.__mod__, lines))
        rows = zip(document_ids, class_ids, confidence, strict=True)
        self._rows.writelines(map("%d,%d,%.6g\n".__mod__, rows))
