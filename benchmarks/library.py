"""What indexing and training cost beside scikit-learn on the same texts."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.svm import LinearSVC

from benchmarks.corpus import Corpus
from benchmarks.measuring import peak_memory, settle, side_by_side
from benchmarks.unwatched import Unwatched
from lexiclass import Document
from lexiclass.index import Survey, build_index
from lexiclass.manifest import text_digest
from lexiclass_core.keys import Keys
from lexiclass_worker.jobs.document_refs import DocumentRefs
from lexiclass_worker.jobs.indexing import IndexJob
from lexiclass_worker.jobs.inputs import ProjectIndexes
from lexiclass_worker.jobs.training import TrainJob
from lexiclass_worker.ml.indexing import build_project_index
from lexiclass_worker.ml.training import train_model

NUM_PROCESSES = len(os.sched_getaffinity(0))

_CHANGED = 0.01

Seconds = dict[str, list[float]]

JobT = TypeVar("JobT", IndexJob, TrainJob)


def index(corpus: Corpus, rounds: int) -> Seconds:
    """Index, and have scikit-learn count words.

    Returns:
        Of texts in memory ``sklearn`` and ``texts``, with digests of all of them; of the same ones
        as files ``fresh``, ``unchanged`` and, with one in a hundred changed, ``one_percent``.
    """
    indexes = corpus.new_directory("indexes")
    written_at = time.monotonic()

    def texts() -> Iterator[None]:
        directory = corpus.new_directory("index-of-texts")
        yield
        build_index(directory, _Texts(corpus.texts), num_processes=NUM_PROCESSES)

    def fresh() -> Iterator[None]:
        empty(indexes)
        settle(written_at)  # else it is read again, though unchanged
        yield
        child.work()

    def one_percent() -> Iterator[None]:
        nonlocal written_at
        for document_id in corpus.ids[:: round(1 / _CHANGED)]:
            path = corpus.path(document_id)
            path.write_text(f"{path.read_text()} changed")
        written_at = time.monotonic()
        yield
        child.work()

    with Child(build_project_index, indexing_job(corpus, indexes)) as child:
        return side_by_side(
            rounds,
            sklearn=lambda: CountVectorizer().fit_transform(corpus.texts),
            texts=texts,
            fresh=fresh,
            unchanged=child.work,
            one_percent=one_percent,
        )


def index_fresh(corpus: Corpus, rounds: int) -> Seconds:
    """Index the files of a part of a corpus."""

    def fresh() -> Iterator[None]:
        empty(indexes)
        yield
        child.work()

    indexes = corpus.new_directory("indexes-of-a-part")
    with Child(build_project_index, indexing_job(corpus, indexes)) as child:
        return side_by_side(rounds, fresh=fresh)


def empty(directory: Path) -> None:
    """Make a directory that has nothing in it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()


def build_files(corpus: Corpus, indexes: Path) -> None:
    """Do what an indexing task does in the sandbox."""
    build_project_index(indexing_job(corpus, indexes), Unwatched())


def indexing_job(corpus: Corpus, indexes: Path) -> IndexJob:
    """Return what a worker asks the sandbox for."""
    return IndexJob(
        source=corpus.source,
        pretrained_directory=corpus.storage,
        documents=DocumentRefs(corpus.references),
        indexes=ProjectIndexes(root=str(indexes), project_id=corpus.source.project_id),
        claim_keys=Keys(b"a key"),
        build="benchmark",
        most_new=None,
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
    indexes = corpus.new_directory("peak")
    indexes.mkdir()
    return peak_memory(build_files, names_only, indexes)


def train(corpus: Corpus, rounds: int) -> Seconds:
    """Train tfidf + svm on the index, calibrated and saved, against scikit-learn."""
    indexes = corpus.new_directory("indexes-to-train-on")
    indexes.mkdir()
    settle(time.monotonic())  # else the files written last are read again by each training
    build_files(corpus, indexes)
    vectorizer = partial(TfidfVectorizer, sublinear_tf=True, min_df=2, ngram_range=(1, 2))
    matrix = vectorizer().fit_transform(corpus.texts)
    job = TrainJob(
        source=corpus.source,
        pretrained_directory=corpus.storage,
        indexes=ProjectIndexes(root=str(indexes), project_id=corpus.source.project_id),
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
        child.work()

    with Child(train_model, job) as child:
        return side_by_side(
            rounds,
            lexiclass=lexiclass,
            pipeline=lambda: LinearSVC().fit(
                vectorizer().fit_transform(corpus.texts), corpus.labels
            ),
            fit_alone=lambda: LinearSVC().fit(matrix, corpus.labels),
        )


class Child:
    """A process that has a job and nothing else, as a child of the sandbox.

    One that holds the texts as well would take much longer to fork others.
    """

    def __init__(self, function: Callable[[JobT, Unwatched], Any], job: JobT) -> None:
        self._pool = ProcessPoolExecutor(
            1,
            multiprocessing.get_context("spawn"),
            initializer=_take,
            initargs=(partial(function, job, Unwatched()),),
        )
        self._pool.submit(os.getpid).result()

    def work(self) -> None:
        """Do the job."""
        self._pool.submit(_work).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


# Set in the process of a Child only.
_job: Callable[[], Any] | None = None


def _take(job: Callable[[], Any]) -> None:
    global _job  # noqa: PLW0603 - handing it over takes as long as some jobs do
    _job = job


def _work() -> None:
    if _job is None:
        raise RuntimeError("this process was not made by Child")
    _job()


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
