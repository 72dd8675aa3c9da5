"""What the report of an evaluation says beside its predictions, noted as documents pass."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from scipy import sparse

from lexiclass.corpora import LabelledText
from lexiclass.corpora.splits import named_split
from lexiclass.manifest import Manifest, text_digest, training_digest
from lexiclass.pipeline import Pipeline
from lexiclass.predictions import Predictions
from lexiclass.report.baselines import (
    MAX_TEST_DOCUMENTS,
    MAX_TRAINING_DOCUMENTS,
    Material,
    baselines_of,
    sample,
)
from lexiclass.report.building import MAX_MISTAKES
from lexiclass.report.counted import MAX_COMPARED, CountedDocuments, duplicate_keys
from lexiclass.report.model import DocumentId
from lexiclass.report.outcomes import Outcomes
from lexiclass.report.scripts import script_of
from lexiclass.spec import PipelineSpec
from lexiclass.tokens import TokenMatrix, Vocabulary

_EXCERPT: Final = 300
_OTHERS: Final = "the corpus does not have the documents that the model was trained on"
_THE_SAME: Final = "the test documents are those that the model was trained on"


def document_id(document: LabelledText) -> DocumentId:
    """What its source calls a document, or where it lies."""
    return document.where if document.id is None else document.id


@dataclass(slots=True)
class _TrainingDocuments:
    """Documents that are not tested with: digest and label of all, and a fair sample of them."""

    pairs: list[tuple[str, str]] = field(default_factory=list)
    contents: set[bytes] = field(default_factory=set)
    sample: list[tuple[str, str]] = field(default_factory=list)
    _random: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 - a sample

    def add(self, text: str, label: str) -> None:
        self.pairs.append((text_digest(text), label))
        self.contents.add(_content(text))
        if len(self.sample) < MAX_TRAINING_DOCUMENTS:
            self.sample.append((text, label))
        # Algorithm R: J. Vitter, ACM Transactions on Mathematical Software 11 (1985).
        elif (place := self._random.randrange(len(self.pairs))) < MAX_TRAINING_DOCUMENTS:
            self.sample[place] = (text, label)


class ReportNotes:
    """Takes note of documents that pass; with texts, of how wrongly predicted ones begin."""

    def __init__(self, pipeline: Pipeline, manifest: Manifest, *, with_texts: bool) -> None:
        self._manifest = manifest
        self._reader = pipeline if pipeline.uses_tokens else Pipeline(PipelineSpec())
        self._vocabulary = Vocabulary()
        self._tested = CountedDocuments(self._vocabulary)
        self._training = _TrainingDocuments()
        self._with_texts = with_texts
        self._excerpts: dict[DocumentId, tuple[float, str]] = {}
        self._columns: dict[str, list[str | None]] = {"script": [], "folder": [], "format": []}
        self._lengths: list[int] = []
        self._contents: list[bytes] = []

    def learned_from(self, document: LabelledText, label: str) -> None:
        """Take note of a document that is not tested with."""
        self._training.add(document.text, label)

    def tested_with(
        self,
        documents: Sequence[LabelledText],
        labels: Sequence[str],
        predictions: Predictions,
        tokens: TokenMatrix | None,
    ) -> None:
        """Take note of some test documents; of their tokens, where the model reads tokens."""
        if len(self._tested) < MAX_COMPARED:
            texts = [document.text for document in documents]
            self._tested.add(self._reader.tokenize(texts) if tokens is None else tokens)
        for document in documents:
            self._lengths.append(len(document.text))
            self._contents.append(_content(document.text))
            self._columns["script"].append(script_of(document.text))
            self._columns["folder"].append(_folder(document))
            self._columns["format"].append(_text(document.metadata.get("format")))
        if self._with_texts:
            self._note_mistakes(documents, labels, predictions)

    def known(self, outcomes: Outcomes, test_pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """Return what :func:`lexiclass.report.building.build_report` is to know of test documents.

        Outcomes are in the order in which the documents passed; each pair is a digest and a label.
        """
        known: dict[str, Any] = {
            "columns": self._columns,
            "lengths": np.array(self._lengths, dtype=np.int64),
            "texts": {name: text for name, (_, text) in self._excerpts.items()},
            "same_text": np.unique(np.array(self._contents), return_inverse=True)[1],
        }
        tested = self._tested.counts()
        if tested.shape[0] == len(outcomes):
            known["groups"] = duplicate_keys(tested)[0]
        counts: Mapping[str, int] | None = None
        material, missing = None, _OTHERS
        if training_digest(self._training.pairs) == self._manifest.training_digest:
            counts = Counter(label for _, label in self._training.pairs)
            contents = self._training.contents
            known["in_training"] = np.array([each in contents for each in self._contents])
            material = self._material(tested)
        elif training_digest(test_pairs) == self._manifest.training_digest:
            counts, missing = Counter(label for _, label in test_pairs), _THE_SAME
            known["in_training"] = np.ones(len(outcomes), dtype=np.bool_)
        known["training_counts"] = counts
        known["baselines"] = baselines_of(
            outcomes,
            spec=self._manifest.spec,
            training_counts=counts,
            material=material,
            missing=missing,
            groups=known.get("groups"),
        )
        return known

    def _material(self, tested: sparse.csr_array) -> Material:
        training = CountedDocuments(self._vocabulary)
        training.add(self._reader.tokenize([text for text, _ in self._training.sample]))
        rows = sample(tested.shape[0], MAX_TEST_DOCUMENTS)
        counts, chosen = training.counts(), tested[rows]
        # Training documents have terms that no test document has.
        shape = (len(rows), counts.shape[1])
        chosen = sparse.csr_array((chosen.data, chosen.indices, chosen.indptr), shape=shape)
        return Material(
            training=counts,
            labels=[label for _, label in self._training.sample],
            test=chosen,
            rows=rows,
        )

    def _note_mistakes(
        self, documents: Sequence[LabelledText], labels: Sequence[str], predictions: Predictions
    ) -> None:
        """Keep the beginnings of the documents that a report lists, and of few others."""
        rows = zip(documents, labels, predictions, strict=True)
        for document, label, (predicted, confidence) in rows:
            if predicted != label:
                excerpt = document.text[:_EXCERPT]
                self._excerpts[document_id(document)] = (confidence, excerpt)
        if len(self._excerpts) > 10 * MAX_MISTAKES:
            largest = heapq.nlargest(
                MAX_MISTAKES, self._excerpts.items(), key=lambda item: item[1][0]
            )
            self._excerpts = dict(largest)


def _content(text: str) -> bytes:
    """Digest of a text's words, whatever their case and what separates them."""
    words = " ".join(text.split()).casefold()
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _folder(document: LabelledText) -> str | None:
    """The folder that a document lies in, without those for its class and split; None for none."""
    folder, _, _ = document.where.replace("\\", "/").rpartition("/")
    if not folder:
        return None
    parts = folder.split("/")
    kept = [part for part in parts if part != document.label and named_split(part) is None]
    return "/".join(kept) or None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
