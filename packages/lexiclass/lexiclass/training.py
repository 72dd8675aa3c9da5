"""What a pipeline does to train its plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from lexiclass.errors import InvalidParameters
from lexiclass.familiarity import CentroidFamiliarity, Familiarity, WordFamiliarity
from lexiclass.label_quality import TrainingEvidence
from lexiclass.labels import Labels, class_names
from lexiclass.manifest import text_digest
from lexiclass.near_duplicates import content_keys
from lexiclass.plugins.assembly import Assembly
from lexiclass.plugins.base import EmbeddingExtractor, FeatureExtractor, Tokenizer
from lexiclass.plugins.training_rows import TrainingRows
from lexiclass.rows import Rows
from lexiclass.stages import FitReport, Stages
from lexiclass.targets import Targets
from lexiclass.tokens import TokenMatrix


class Trained(NamedTuple):
    """What a training comes to, beside what the plugins have learned.

    Attributes:
        report: What it did.
        familiarity: What the documents were like; None where features can't tell.
        evidence: What it knows of their labels; None where the classifier held none out.
    """

    report: FitReport
    familiarity: Familiarity | None
    evidence: TrainingEvidence | None


#: Documents as the first plugin that runs after the tokenizer, if any, reads them.
Documents = TokenMatrix | Sequence[str]

# How often, in documents, the progress of tokenizing is told.
_PROGRESS_EVERY = 256


def check_texts(texts: Iterable[str]) -> Iterator[str]:
    """Pass texts on, each checked as it comes.

    Raises:
        InvalidParameters: At once if ``texts`` is one string, or nothing that can be iterated
            over; when it comes, of an item that is no string.
    """
    if isinstance(texts, str | bytes | bytearray) or not isinstance(texts, Iterable):
        raise InvalidParameters(
            f"Expected several texts, found {_kind(texts)}; put a single text in a list."
        )
    return map(_check_text, texts, count())


def _check_text(text: object, position: int) -> str:
    if not isinstance(text, str):
        raise InvalidParameters(
            f"Text number {position} is {_kind(text)}, not a string; "
            + ("decode it" if isinstance(text, bytes) else "leave it out, or give the empty string")
            + "."
        )
    return text


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"


def read_texts(
    texts: Iterable[str], tokenizer: Tokenizer | None, stages: Stages, *, expected: int
) -> tuple[Documents, list[str]]:
    """Take in as many training texts as expected, once; tokenized where there is a tokenizer.

    They are tokenized as they come. They are held in memory only where that can't be: a tokenizer
    that learns reads all of them before, and without a tokenizer they are passed on.

    Returns:
        The documents, and the digest of each text.
    """
    if tokenizer is not None and tokenizer.learns:
        with stages.run("learn tokens"):
            texts = texts if isinstance(texts, Sequence) else list(texts)
            tokenizer.fit(texts)
    digests: list[str] = []
    with stages.run("tokenize", expected) as tell:
        stream = _noting(texts, digests, lambda done: tell(min(done, expected), expected))
        documents = list(stream) if tokenizer is None else tokenizer.encode(stream)
    return documents, digests


def train_plugins(
    assembly: Assembly,
    documents: Documents,
    labels: Labels,
    digests: Sequence[str],
    stages: Stages,
) -> Trained:
    """Train feature extractor and classifier, and learn what is familiar to them.

    Raises:
        InvalidParameters: If there are not as many documents as labels and digests.
    """
    _require_one_each(documents, labels, digests)
    documents, kept = _without_tokenless(documents, labels)
    taught = labels if len(kept) == len(labels) else [labels[row] for row in kept.tolist()]
    left_out = [labels[row] for row in np.setdiff1d(np.arange(len(labels)), kept).tolist()]
    familiarity: Familiarity | None = None
    if assembly.extractor is None:
        training = TrainingRows(documents)
    else:
        with stages.run("features"):
            training, familiarity = _features(assembly.extractor, documents, taught, left_out)
    report = _train(assembly, training, taught, len(labels), stages)
    return Trained(report, familiarity, _evidence(assembly, training, taught, digests, kept))


def train_classifier(
    assembly: Assembly, rows: Any, labels: Labels, digests: Sequence[str], stages: Stages
) -> Trained:
    """Train the classifier on embeddings, and learn what is familiar among them.

    Raises:
        InvalidParameters: If there are not as many rows as labels and digests.
    """
    _require_one_each(rows, labels, digests)
    training = TrainingRows(rows, are_embeddings=True)
    report = _train(assembly, training, labels, len(labels), stages)
    kept = np.arange(len(labels))
    evidence = _evidence(assembly, training, labels, digests, kept)
    return Trained(report, _by_place(training, labels), evidence)


def _train(
    assembly: Assembly, training: TrainingRows, labels: Labels, num_documents: int, stages: Stages
) -> FitReport:
    with stages.run("classifier") as tell:
        assembly.classifier.fit(training, labels, progress=tell)
    return FitReport(
        num_documents=num_documents,
        num_classes=len(assembly.classifier.classes),
        num_features=assembly.num_features,
        num_calibration_documents=assembly.classifier.num_calibration_documents,
        stage_seconds=stages.seconds,
    )


def _evidence(
    assembly: Assembly,
    training: TrainingRows,
    labels: Labels,
    digests: Sequence[str],
    kept: NDArray[np.int64],
) -> TrainingEvidence | None:
    """Keep what speaks for and against the labels of the documents that were kept."""
    held_out = assembly.classifier.held_out
    if held_out is None:
        return None
    codes = Targets.encode(labels, multi_label=False).strata
    of_kept = [digests[row] for row in kept.tolist()]
    return TrainingEvidence.of(kept, codes, of_kept, training.keys, held_out)


def _without_tokenless(documents: Documents, labels: Labels) -> tuple[Documents, NDArray[np.int64]]:
    """Return documents with a token, or all of a class without any, and their numbers."""
    every = np.arange(len(labels))
    if not isinstance(documents, TokenMatrix):
        return documents, every
    has_tokens = (documents.lengths > 0).tolist()
    taught = {
        name
        for label, has in zip(labels, has_tokens, strict=True)
        if has
        for name in class_names(label)
    }
    kept = [
        row
        for row, (label, has) in enumerate(zip(labels, has_tokens, strict=True))
        if has or not taught.issuperset(class_names(label))
    ]
    if len(kept) == len(labels):
        return documents, every
    rows = np.array(kept, dtype=np.int64)
    return documents.take(rows), rows


def _features(
    extractor: FeatureExtractor, documents: Documents, labels: Labels, left_out: Labels
) -> tuple[TrainingRows, Familiarity | None]:
    """Train the feature extractor, and learn what is familiar among what it returns."""
    extractor.num_classes = len({name for label in labels for name in class_names(label)})
    if isinstance(extractor, EmbeddingExtractor) and not isinstance(documents, TokenMatrix):
        training = TrainingRows(_embedded(extractor, documents), are_embeddings=True)
        return training, _by_place(training, labels)
    # Counts are for here alone: the classifier's training takes the most memory.
    counted = documents.counted_once() if isinstance(documents, TokenMatrix) else documents
    training = _rows(extractor, extractor.fit_transform(counted), documents, left_out)
    if isinstance(counted, TokenMatrix):
        return training, _by_words(extractor, counted, training)
    return training, None


def _embedded(extractor: EmbeddingExtractor, texts: Sequence[str]) -> Rows:
    """Embed each distinct text once: what is the same must have the same row, to the last digit."""
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    rows = extractor.fit_transform(list(numbers))
    return rows if len(numbers) == len(texts) else rows[[numbers[text] for text in texts]]


def _rows(
    extractor: FeatureExtractor, rows: Rows, documents: Documents, left_out: Labels
) -> TrainingRows:
    relearned = partial(extractor.relearned, rows)
    if not isinstance(documents, TokenMatrix):
        return TrainingRows(rows, relearned)

    def shortened(numbers: NDArray[np.intp], words: int) -> Rows:
        return extractor.transform(documents.take(numbers).first(words))

    # Means of vectors do not tell which documents are nearly the same: their words do.
    compared = None if isinstance(rows, sparse.csr_array) else documents
    return TrainingRows(rows, relearned, shortened, compared, left_out=left_out)


def _by_words(
    extractor: FeatureExtractor, documents: TokenMatrix, training: TrainingRows
) -> WordFamiliarity | None:
    """Learn how many words of documents like these are known, where the extractor can tell."""
    every = len(documents.terms)
    words = TokenMatrix(documents.terms, np.arange(every, dtype=np.int32), np.arange(every + 1))
    known = extractor.known_words(words)
    return None if known is None else WordFamiliarity.fit(documents, known > 0, training.keys)


def _by_place(training: TrainingRows, labels: Labels) -> CentroidFamiliarity:
    """Learn where documents like these lie."""
    has_sets = not all(isinstance(label, str) for label in labels)
    codes = Targets.encode(labels, multi_label=has_sets).strata
    # Of what is only nearly the same, the mean of the others can't be told from one of the rows.
    return CentroidFamiliarity.fit(training.rows, codes, content_keys(training.rows))


def _require_one_each(documents: Any, labels: Labels, digests: Sequence[str]) -> None:
    num_documents = documents.shape[0] if hasattr(documents, "shape") else len(documents)
    if not num_documents == len(labels) == len(digests):
        raise InvalidParameters(
            f"Found {num_documents} documents, {len(labels)} labels and {len(digests)} "
            "digests; there must be one label and one digest per document."
        )


def _noting(texts: Iterable[str], digests: list[str], tell: Callable[[int], None]) -> Iterator[str]:
    """Pass texts on, noting their digests."""
    for done, text in enumerate(texts, start=1):
        digests.append(text_digest(text))
        if done % _PROGRESS_EVERY == 0:
            tell(done)
        yield text
