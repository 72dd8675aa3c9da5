"""Predicting documents, in the sandbox."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import IO, Any, Final

from pydantic import StrictInt, TypeAdapter, ValidationError

from lexiclass import Manifest, ModelCorrupt, Pipeline, Predictions
from lexiclass_core.file_systems import naming
from lexiclass_worker.jobs.prediction import PredictJob, PredictTextJob
from lexiclass_worker.jobs.supervision import ReportProgress, Supervision
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.index import open_index
from lexiclass_worker.ml.loaded_models import load_model
from lexiclass_worker.ml.outputs import open_output
from lexiclass_worker.ml.scoring import EmptyDocuments, score
from lexiclass_worker.ml.stopwatch import Stopwatch

# Classes up to which a prediction is kept with the scores of all; of more it has the highest.
_MAX_SCORES: Final = 100
_HIGHEST_SCORES: Final = 20

_CLASS_IDS: Final = TypeAdapter(dict[str, StrictInt])


def predict_documents(job: PredictJob, report: Supervision) -> dict[str, Any]:
    """Predict in batches, writing the history and the rows as it goes.

    Raises:
        PluginMismatch: If the request expects another pipeline than the model's.
        ModelCorrupt: If the files are damaged, or the field has lost a class the model predicts.
    """
    watch = Stopwatch()
    report("load", 0, 1)
    with watch.stage("load"):
        pipeline, manifest = load_model(job, job.memory_bytes)
        class_ids = _class_ids(pipeline, manifest, job)
    documents = StoredDocuments(job.source, job.documents)
    failed: dict[int, str] = {}
    origins: Counter[str] = Counter()
    empty, done = EmptyDocuments(), 0
    report("predict", done, len(job.documents))
    with (
        naming(str(job.history)),
        open_output(job.history) as history,
        open_output(job.rows) as rows,
    ):
        writer = writer_of(
            pipeline.classes, class_ids, job.model_version, history, rows, job.accept_from
        )
        index = open_index(job.indexes, pipeline, report)
        batches = score(pipeline, documents, index, batch_size=job.batch_size)
        for batch in watch.each("predict", batches):
            with watch.stage("write"):
                writer.write(documents.ids[batch.positions].tolist(), batch.predictions)
            empty.note(documents.ids[batch.positions], batch.empty)
            failed |= batch.failed
            origins += batch.origins
            done += len(batch.positions) + len(batch.failed)
            report("predict", done, len(job.documents))
    return {
        "unreadable": list(failed.items()),
        "num_accepted": writer.num_accepted,
        "empty": empty.summary(),
        "origins": origins,
        "seconds": watch.seconds,
    }


def predict_text(job: PredictTextJob, report: ReportProgress) -> dict[str, Any]:
    """Predict one text.

    Returns:
        ``classes`` and the ``probabilities`` of each, in the model's order; where the model can
        tell, its ``familiarity`` and whether it is ``unfamiliar``.

    Raises:
        PluginMismatch: If the request expects another pipeline than the model's.
        ModelCorrupt: If the files are damaged.
    """
    report("predict", 0, 1)
    pipeline, _ = load_model(job)
    predictions = pipeline.predict([job.text])
    (probabilities,) = predictions.probabilities.tolist()
    found = {"classes": list(predictions.classes), "probabilities": probabilities}
    if predictions.familiarity is not None and predictions.unfamiliar is not None:
        found["familiarity"] = float(predictions.familiarity[0])
        found["unfamiliar"] = bool(predictions.unfamiliar[0])
    return found


def _class_ids(pipeline: Pipeline, manifest: Manifest, job: PredictJob) -> dict[str, int]:
    try:
        class_ids = _CLASS_IDS.validate_python(manifest.metadata.get("class_ids", {}))
    except ValidationError as error:
        raise ModelCorrupt("manifest.json", "its class_ids are not one id a class") from error
    there = set(job.class_ids)
    lost = [name for name in pipeline.classes if class_ids.get(name) not in there]
    if lost:
        raise ModelCorrupt(
            "manifest.json",
            f"the model predicts classes that the field no longer has ({', '.join(lost[:5])}): "
            "train a new version",
        )
    return {name: class_ids[name] for name in pipeline.classes}


class Writer:
    """Writes predictions as JSON lines and as rows; a template formats a line at C speed.

    Args:
        classes: The k classes of the model, in its order.
        class_ids: Id of each.
        history: Takes a JSON object a line for each prediction.
        rows: Takes CSV of document id, class id, confidence, whether it is accepted (nothing where
            that is not asked), and metadata as JSON.
        accept_from: The lowest confidence of a prediction that is accepted; None to mark none.

    Attributes:
        num_accepted: How many of the predictions written so far are; None likewise.
    """

    def __init__(
        self,
        classes: tuple[str, ...],
        class_ids: Mapping[str, int],
        model_version: int,
        history: IO[str],
        rows: IO[str],
        accept_from: float | None = None,
    ) -> None:
        self._history, self._rows = history, rows
        self._accept_from = accept_from
        self.num_accepted = None if accept_from is None else 0
        self._class_ids = [class_ids[name] for name in classes]
        self._names = [json.dumps(name, ensure_ascii=False) for name in classes]
        self._line = (
            '{"document_id": %d, "class_id": %d, "predicted_class": %s, "confidence": %.6g, '
            f'"scores": {{{self._scores()}}}, %s, "model_version": {model_version}%s}}\n'
        )

    def write(self, document_ids: list[Any], predictions: Predictions) -> None:
        """Write the predictions of documents."""
        codes = predictions.codes.tolist()
        confidence = predictions.confidence.tolist()
        class_ids = list(map(self._class_ids.__getitem__, codes))
        names = map(self._names.__getitem__, codes)
        columns = self._columns(predictions)
        rests_on = _rests_on(predictions)
        accepted = self._accepted(predictions)
        marks = map(_MARKS.__getitem__, accepted)
        lines = zip(
            document_ids, class_ids, names, confidence, *columns, rests_on, marks, strict=True
        )
        self._history.writelines(map(self._line.__mod__, lines))
        metadata = [members.replace('"', '""') for members in rests_on]
        flags = map(_FLAGS.__getitem__, accepted)
        rows = zip(document_ids, class_ids, confidence, flags, metadata, strict=True)
        self._rows.writelines(map('%d,%d,%.6g,%s,"{%s}"\n'.__mod__, rows))

    def _accepted(self, predictions: Predictions) -> Sequence[bool | None]:
        if self._accept_from is None or self.num_accepted is None:
            return [None] * len(predictions)
        accepted: list[bool] = (predictions.confidence >= self._accept_from).tolist()
        self.num_accepted += sum(accepted)
        return accepted

    def _scores(self) -> str:
        """Template of the scores: what :meth:`_columns` fills in."""
        return ", ".join(f"{name.replace('%', '%%')}: %.6g" for name in self._names)

    def _columns(self, predictions: Predictions) -> Sequence[Sequence[Any]]:
        scores: list[list[float]] = predictions.probabilities.T.tolist()
        return scores


# What follows a prediction in the history, and stands in its row.
_MARKS: Final = {None: "", True: ', "is_accepted": true', False: ', "is_accepted": false'}
_FLAGS: Final = {None: "", True: "t", False: "f"}


def _rests_on(predictions: Predictions) -> list[str]:
    """What each prediction rests on, as the members of a JSON object."""
    known, familiarity = predictions.known_words, predictions.familiarity
    counts = ["null"] * len(predictions) if known is None else known.tolist()
    if familiarity is None or predictions.unfamiliar is None:
        return list(map('"known_words": %s'.__mod__, counts))
    flags = map(("false", "true").__getitem__, predictions.unfamiliar.tolist())
    members = zip(counts, familiarity.tolist(), flags, strict=True)
    return list(map('"known_words": %s, "familiarity": %.4g, "unfamiliar": %s'.__mod__, members))


class WriterOfTheHighest(Writer):
    """Writes of thousands of scores the highest ones, highest first."""

    def _scores(self) -> str:
        return ", ".join(["%s: %.6g"] * _HIGHEST_SCORES)

    def _columns(self, predictions: Predictions) -> Sequence[Sequence[Any]]:
        codes, scores = predictions.highest(_HIGHEST_SCORES)
        columns: list[Sequence[Any]] = []
        for codes_of_rank, scores_of_rank in zip(codes.T.tolist(), scores.T.tolist(), strict=True):
            columns += [[self._names[code] for code in codes_of_rank], scores_of_rank]
        return columns


def writer_of(
    classes: tuple[str, ...],
    class_ids: Mapping[str, int],
    model_version: int,
    history: IO[str],
    rows: IO[str],
    accept_from: float | None = None,
) -> Writer:
    """The writer for so many classes; see :class:`Writer`."""
    kind = Writer if len(classes) <= _MAX_SCORES else WriterOfTheHighest
    return kind(classes, class_ids, model_version, history, rows, accept_from)
