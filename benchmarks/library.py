"""What indexing and training cost beside scikit-learn on the same texts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

_PROJECT = 1
_CHANGED = 0.01
_LARGEST_DOCUMENT = 1_000_000

Seconds = dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts in memory and the same ones as files of a project, as the worker keeps them.

    Attributes:
        directory: Of the storage; everything else that is written lies there too.
        texts: Their ids are their positions.
        labels: Their classes.
    """

    directory: Path
    texts: Sequence[str]
    labels: Sequence[str]

    @classmethod
    def write(cls, directory: Path, documents: Sequence[tuple[str, str]]) -> Corpus:
        """Write texts to files."""
        texts, labels = zip(*documents, strict=True)
        corpus = cls(directory, texts, labels)
        corpus.path(0).parent.mkdir(parents=True)
        for position, text in enumerate(texts):
            corpus.path(position).write_text(text)
        return corpus

    def first(self, num_documents: int) -> Corpus:
        """Return a part of it, on the same files."""
        return Corpus(self.directory, self.texts[:num_documents], self.labels[:num_documents])

    @property
    def num_bytes(self) -> int:
        """All texts together."""
        return sum(map(len, self.texts))

    @property
    def source(self) -> DocumentSource:
        """Where the files lie."""
        return DocumentSource(
            root=str(self.directory),
            project_id=_PROJECT,
            folder=None,
            max_bytes=_LARGEST_DOCUMENT,
        )

    def path(self, position: int) -> Path:
        """Return the file of a document."""
        return self.directory / layout.document_path(_PROJECT, position)

    def new_directory(self, name: str) -> Path:
        """Return a directory that is not there yet."""
        directory = self.directory / name
        shutil.rmtree(directory, ignore_errors=True)
        return directory


def index_texts(corpus: Corpus, rounds: int) -> Seconds:
    """Index texts in memory, with digests of all of them, against counting their words."""

    def lexiclass() -> Iterator[None]:
        directory = corpus.new_directory("index-of-texts")
        yield
        build_index(directory, _Texts(corpus.texts), num_processes=NUM_PROCESSES)

    return side_by_side(
        rounds,
        lexiclass=lexiclass,
        sklearn=lambda: CountVectorizer().fit_transform(corpus.texts),
    )


def index_files(corpus: Corpus, rounds: int) -> Seconds:
    """Index files: all of them, none of them changed, one in a hundred changed."""
    directory = corpus.new_directory("indexes") / "fresh"

    def fresh() -> Iterator[None]:
        shutil.rmtree(directory, ignore_errors=True)
        settle()  # what the round before has written: else it is read again, though unchanged
        yield
        build_files(corpus, directory)

    def one_percent() -> Iterator[None]:
        for position in range(0, len(corpus.texts), round(1 / _CHANGED)):
            path = corpus.path(position)
            path.write_text(f"{path.read_text()} changed")
        yield
        build_files(corpus, directory)

    return side_by_side(
        rounds,
        fresh=fresh,
        unchanged=partial(build_files, corpus, directory),
        one_percent=one_percent,
    )


def build_files(corpus: Corpus, indexes: Path) -> None:
    """Do what an indexing task does in the sandbox."""
    job = IndexJob(
        source=corpus.source,
        pretrained_directory=corpus.directory,
        documents=[(position, None) for position in range(len(corpus.texts))],
        indexes=ProjectIndexes(root=str(indexes)),
        tokenizer="icu",
        locale="en",
        tokenizer_params={},
        is_incremental=True,
        num_processes=NUM_PROCESSES,
    )
    build_project_index(job, _Unwatched())


def peak_of_indexing(corpus: Corpus) -> int:
    """Return the most memory that indexing the files takes, in bytes."""
    # The texts stay behind: they would be a copy in the new process.
    names_only = Corpus(corpus.directory, [""] * len(corpus.texts), ())
    return peak_memory(build_files, names_only, corpus.new_directory("peak"))


def train(corpus: Corpus, rounds: int) -> Seconds:
    """Train tfidf + svm on the index, calibrated and saved, against scikit-learn."""
    indexes = corpus.new_directory(str(layout.indexes_directory(_PROJECT)))
    build_files(corpus, indexes)
    vectorizer = partial(TfidfVectorizer, sublinear_tf=True, min_df=2, ngram_range=(1, 2))
    matrix = vectorizer().fit_transform(corpus.texts)
    job = TrainJob(
        source=corpus.source,
        pretrained_directory=corpus.directory,
        indexes=ProjectIndexes(root=str(indexes)),
        documents=[(position, None) for position in range(len(corpus.texts))],
        labels=list(corpus.labels),
        class_ids={label: code for code, label in enumerate(sorted(set(corpus.labels)))},
        pipeline={"tokenizer": "icu", "feature_extractor": "tfidf", "classifier": "svm"},
        directory=corpus.directory / "model",
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
