"""What indexing and training cost beside scikit-learn on the same texts."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.svm import LinearSVC

from benchmarks.measuring import peak_memory, settle, side_by_side
from lexiclass import Document
from lexiclass.index import Survey, build_index
from lexiclass.manifest import text_digest
from lexiclass_core import layout
from lexiclass_worker.ml.indexing import build_project_index
from lexiclass_worker.ml.jobs import DocumentSource, IndexJob, ProjectIndexes, TrainJob
from lexiclass_worker.ml.training import train_model

NUM_PROCESSES = len(os.sched_getaffinity(0))

_CHANGED = 0.01
_LARGEST_DOCUMENT = 1_000_000

Seconds = dict[str, list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Texts in memory and the same ones as files of a project, as the worker keeps them.

    Attributes:
        storage: Holds the files.
        project_id: Whose they are.
        ids: Of the documents.
        texts: Of the documents.
        labels: Of the documents.
        directory: Where whatever else is needed is written.
    """

    storage: Path
    project_id: int
    ids: Sequence[int]
    texts: Sequence[str]
    labels: Sequence[str]
    directory: Path

    def first(self, num_documents: int) -> Corpus:
        """Return a part of it, on the same files."""
        return replace(
            self,
            ids=self.ids[:num_documents],
            texts=self.texts[:num_documents],
            labels=self.labels[:num_documents],
        )

    @property
    def num_bytes(self) -> int:
        """All texts together."""
        return sum(map(len, self.texts))

    @property
    def references(self) -> list[tuple[int, None]]:
        """The documents as a job names them: all at their usual places."""
        return [(document_id, None) for document_id in self.ids]

    @property
    def source(self) -> DocumentSource:
        """Where the files lie."""
        return DocumentSource(
            root=str(self.storage),
            project_id=self.project_id,
            folder=None,
            max_bytes=_LARGEST_DOCUMENT,
        )

    def path(self, document_id: int) -> Path:
        """Return the file of a document."""
        return self.storage / layout.document_path(self.project_id, document_id)

    def new_directory(self, name: str) -> Path:
        """Return a directory that is not there yet."""
        directory = self.directory / name
        shutil.rmtree(directory, ignore_errors=True)
        return directory


def index(corpus: Corpus, rounds: int) -> Seconds:
    """Index, and have scikit-learn count words.

    Returns:
        Of texts in memory ``sklearn`` and ``texts``, with digests of all of them; of the same ones
        as files ``fresh``, ``unchanged`` and, with one in a hundred changed, ``one_percent``.
    """
    indexes = corpus.new_directory("indexes")
    build = partial(build_project_index, indexing_job(corpus, indexes), _Unwatched())
    written_at = time.monotonic()

    def texts() -> Iterator[None]:
        directory = corpus.new_directory("index-of-texts")
        yield
        build_index(directory, _Texts(corpus.texts), num_processes=NUM_PROCESSES)

    def fresh() -> Iterator[None]:
        shutil.rmtree(indexes, ignore_errors=True)
        settle(written_at)  # else it is read again, though unchanged
        yield
        build()

    def one_percent() -> Iterator[None]:
        nonlocal written_at
        for document_id in corpus.ids[:: round(1 / _CHANGED)]:
            path = corpus.path(document_id)
            path.write_text(f"{path.read_text()} changed")
        written_at = time.monotonic()
        yield
        build()

    return side_by_side(
        rounds,
        sklearn=lambda: CountVectorizer().fit_transform(corpus.texts),
        texts=texts,
        fresh=fresh,
        unchanged=build,
        one_percent=one_percent,
    )


def index_fresh(corpus: Corpus, rounds: int) -> Seconds:
    """Index the files of a part of a corpus."""

    def fresh() -> Iterator[None]:
        job = indexing_job(corpus, corpus.new_directory("part"))
        yield
        build_project_index(job, _Unwatched())

    return side_by_side(rounds, fresh=fresh)


def build_files(corpus: Corpus, indexes: Path) -> None:
    """Do what an indexing task does in the sandbox."""
    build_project_index(indexing_job(corpus, indexes), _Unwatched())


def indexing_job(corpus: Corpus, indexes: Path) -> IndexJob:
    """Return what a worker asks the sandbox for."""
    return IndexJob(
        source=corpus.source,
        pretrained_directory=corpus.storage,
        documents=corpus.references,
        indexes=ProjectIndexes(root=str(indexes)),
        tokenizer="icu",
        locale="en",
        tokenizer_params={},
        is_incremental=True,
        num_processes=NUM_PROCESSES,
    )


def peak_of_indexing(corpus: Corpus) -> int:
    """Return the most memory that indexing the files takes, in bytes."""
    # The texts stay behind: they would be a copy in the new process.
    names_only = replace(corpus, texts=(), labels=())
    return peak_memory(build_files, names_only, corpus.new_directory("peak"))


def train(corpus: Corpus, rounds: int) -> Seconds:
    """Train tfidf + svm on the index, calibrated and saved, against scikit-learn."""
    indexes = corpus.new_directory("indexes-to-train-on")
    build_files(corpus, indexes)
    vectorizer = partial(TfidfVectorizer, sublinear_tf=True, min_df=2, ngram_range=(1, 2))
    matrix = vectorizer().fit_transform(corpus.texts)
    job = TrainJob(
        source=corpus.source,
        pretrained_directory=corpus.storage,
        indexes=ProjectIndexes(root=str(indexes)),
        documents=corpus.references,
        labels=list(corpus.labels),
        class_ids={label: code for code, label in enumerate(sorted(set(corpus.labels)))},
        pipeline={"tokenizer": "icu", "feature_extractor": "tfidf", "classifier": "svm"},
        directory=corpus.new_directory("model"),
        metadata={},
        num_processes=NUM_PROCESSES,
    )

    def lexiclass() -> Iterator[None]:
        shutil.rmtree(job.directory, ignore_errors=True)
        yield
        train_model(job, _Unwatched())

    return side_by_side(
        rounds,
        lexiclass=lexiclass,
        pipeline=lambda: LinearSVC().fit(vectorizer().fit_transform(corpus.texts), corpus.labels),
        fit_alone=lambda: LinearSVC().fit(matrix, corpus.labels),
    )


class _Texts:
    """Texts in memory as documents, digested by whichever process tokenizes them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self.ids = np.arange(len(texts))

    def survey(self, positions: NDArray[np.int64]) -> Survey:
        """Tell how long they are; nothing else is known of them."""
        sizes = np.array([len(self._texts[position]) for position in positions.tolist()])
        return Survey(np.zeros(len(positions), dtype=np.int64), sizes)

    def read(self, positions: NDArray[np.int64]) -> Iterator[Document]:
        """Digest them."""
        for position in positions.tolist():
            text = self._texts[position]
            yield Document(position, text, text_digest(text), "utf-8")


class _Unwatched:
    """Stands where a worker listens: nobody does, and everything may be published."""

    def __call__(self, *_: Any) -> None:
        """Report nothing."""

    def ask_to_publish(self) -> None:
        """Go ahead."""
