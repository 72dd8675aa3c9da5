"""What a model says of the test documents of a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from lexiclass.cli.corpus import Corpus, label_set
from lexiclass.cli.report_notes import ReportNotes, document_id
from lexiclass.corpora import LabelledText, split_of
from lexiclass.errors import NoDocuments
from lexiclass.evaluation import evaluate_label_sets
from lexiclass.manifest import text_digest, training_digest
from lexiclass.pipeline import Pipeline
from lexiclass.report.outcomes import OutcomeCollector, Outcomes
from lexiclass.stages import Progress

# Probabilities in memory at a time, of 8 bytes each: with thousands of classes a batch is smaller.
_MOST_PROBABILITIES: Final = 2**22
_BATCH: Final = 1_024


@dataclass(slots=True)
class TestedDocuments:
    """Labelled documents of a corpus to test with, noting what they are as they pass."""

    documents: Corpus
    test_fraction: float
    notes: ReportNotes | None = None
    labels: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)

    def read(self, tell: Progress) -> Iterator[LabelledText]:
        """Read them, once.

        Raises:
            NoDocuments: If there are none.
        """
        for document in self.documents:
            if document.label is None:
                continue
            if split_of(document, self.test_fraction) == "test":
                self.labels.append(document.label)
                self.digests.append(text_digest(document.text))
                tell("predict", len(self.labels), len(self.labels))
                yield document
            elif self.notes is not None:
                self.notes.learned_from(document, document.label)
        if not self.labels:
            raise NoDocuments(
                f"{str(self.documents.path)!r} has no labelled document to test with; give it some "
                "with the split test, or train with --test-fraction."
            )

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Digest and label of each."""
        return list(zip(self.digests, self.labels, strict=True))

    def digest(self, *, multi_label: bool) -> str:
        """Digest of all of them; see :func:`lexiclass.manifest.training_digest`."""
        if not multi_label:
            return training_digest(self.pairs)
        return training_digest((digest, label_set(label)) for digest, label in self.pairs)


def evaluate_sets(pipeline: Pipeline, tested: TestedDocuments, tell: Progress) -> dict[str, Any]:
    """Predict documents that can have any number of classes, and compare.

    Raises:
        NoDocuments: If there are none.
    """
    predictions = pipeline.predict(document.text for document in tested.read(tell))
    return evaluate_label_sets([label_set(label) for label in tested.labels], predictions)


def predict_tested(pipeline: Pipeline, tested: TestedDocuments, tell: Progress) -> Outcomes:
    """Predict documents of one class each, a batch at a time.

    Raises:
        NoDocuments: If there are none.
    """
    collector = OutcomeCollector(pipeline.classes)
    size = max(1, min(_BATCH, _MOST_PROBABILITIES // len(pipeline.classes)))
    documents = tested.read(tell)
    done = 0
    while batch := list(islice(documents, size)):
        texts = [document.text for document in batch]
        tokens = pipeline.tokenize(texts) if pipeline.uses_tokens else None
        if tokens is None:
            predictions = pipeline.predict(texts, batch_size=size)
        else:
            predictions = pipeline.predict_tokens(tokens)
        labels = tested.labels[done : done + len(batch)]
        done += len(batch)
        collector.add([document_id(document) for document in batch], labels, predictions)
        if tested.notes is not None:
            tested.notes.tested_with(batch, labels, predictions, tokens)
    return collector.outcomes()
