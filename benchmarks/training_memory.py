"""What trainings take, beside what was estimated before they began.

Synthetic documents of several numbers, indexed and not, with one process and with two, in the ten
classes that they have or dealt out to so many::

    python -m benchmarks.training_memory --documents 2000 --documents 20000
    python -m benchmarks.training_memory --documents 1500 --classes 500
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import tempfile
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

from benchmarks.synthetic import demo_words, synthetic_documents
from benchmarks.unwatched import Unwatched
from lexiclass import DocumentIndex, Pipeline, PipelineSpec
from lexiclass.index import build_index
from lexiclass_core import layout
from lexiclass_worker.jobs.inputs import ProjectDocuments, ProjectIndexes
from lexiclass_worker.jobs.modules import MODULES
from lexiclass_worker.jobs.training import TrainJob
from lexiclass_worker.ml.documents import StoredDocuments
from lexiclass_worker.ml.index import open_index
from lexiclass_worker.ml.memory import estimate_for, measure
from lexiclass_worker.ml.training import train_model
from lexiclass_worker.sandbox.memory import Limits, Meter

_LOOK_EVERY_S = 0.01
_ANY_NUMBER = 2**31
_PIPELINES = (("bow", "word"), ("tfidf", "word"), ("tfidf", "char_wb"), ("tfidf", "both"))


def main() -> None:
    """Print a line for each training."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, action="append")
    parser.add_argument("--classes", type=int, help="to deal the documents out to")
    options = parser.parse_args()
    sizes: list[int] = options.documents or [2_000, 10_000, 30_000]
    print("documents   tokens  features       index  processes   peak MiB  estimate MiB  ratio")
    for number in sizes:
        with tempfile.TemporaryDirectory() as directory:
            measure_all(Path(directory), number, options.classes)


def measure_all(root: Path, number: int, num_classes: int | None) -> None:
    """Train on so many documents in each way."""
    source = ProjectDocuments(root=str(root), project_id=1, folder=None, max_bytes=2**26)
    labels = write_documents(root, number)
    if num_classes is not None:
        labels = [str(place % num_classes) for place in range(number)]
    documents = [(document_id, None) for document_id in range(1, number + 1)]
    indexes = ProjectIndexes(root=str(root), project_id=1)
    directory = Path(indexes.location) / layout.index_directory(1, "icu", "en").name
    directory.parent.mkdir(parents=True)
    build_index(directory, StoredDocuments(source, documents))
    for (extractor, analyzer), is_indexed, processes in product(_PIPELINES, (True, False), (1, 2)):
        job = TrainJob(
            source=source,
            pretrained_directory=root,
            indexes=indexes if is_indexed else None,
            documents=list(documents),
            labels=labels,
            class_ids={},
            pipeline={
                "tokenizer": "icu",
                "feature_extractor": extractor,
                "feature_extractor_params": {"analyzer": analyzer},
                "classifier": "svm",
            },
            directory=root / "model",
            metadata={},
            num_processes=processes,
        )  # fmt: skip
        pipeline = Pipeline(PipelineSpec.model_validate(job.pipeline))
        index = open_index(job.indexes, pipeline)
        assert index is None or isinstance(index, DocumentIndex)  # no pipeline here embeds
        size = measure(StoredDocuments(source, documents), index)
        estimate = estimate_for(
            pipeline.spec,
            size,
            num_documents=number,
            num_classes=len(set(labels)),
            num_processes=processes,
        )
        if estimate is None:
            raise SystemExit(f"no estimate for {extractor}")
        peak = peak_of(job)
        print(
            f"{number:9,} {size.num_tokens:8,}  {extractor}, {analyzer}".ljust(34),
            f"{'yes' if is_indexed else 'no':>5} {processes:10} {peak / 2**20:10,.0f}"
            f" {estimate / 2**20:13,.0f} {estimate / peak:6.2f}",
            flush=True,
        )


def write_documents(root: Path, number: int) -> list[str]:
    """Write documents where a project has them. Returns their labels."""
    labels = []
    for document_id, (text, label) in enumerate(
        synthetic_documents(demo_words(), number, seed=0), start=1
    ):
        path = root / layout.document_path(1, document_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        labels.append(label)
    # Files that were written to a moment ago are read again.
    time.sleep(2.1)
    return labels


def peak_of(job: TrainJob) -> int:
    """Train in a process of its own. Returns the most it had taken, in bytes."""
    # As the sandbox's children come: a fork of this process would reuse what it has left over.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(MODULES))
    process = context.Process(target=_train, args=(job,))
    process.start()
    meter = Meter(process.pid or 0, Limits(memory_bytes=None, threads=_ANY_NUMBER))
    while process.is_alive():
        meter.sample()
        time.sleep(_LOOK_EVERY_S)
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"the training ended with {process.exitcode}")
    return meter.peak_bytes


def _train(job: TrainJob) -> None:
    os.setpgid(0, 0)
    with tempfile.TemporaryDirectory() as directory:
        train_model(replace(job, directory=Path(directory) / "model"), Unwatched())


if __name__ == "__main__":
    main()
