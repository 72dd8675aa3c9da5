"""What the index saves, in ratios of one run: ``make bench``.

Every figure is the median of rounds in which the two things compared take turns, and so is every
ratio. docs/PERFORMANCE.md explains them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import library, service, tasks
from benchmarks.house import open_house
from benchmarks.measuring import medians, ratio, settle
from benchmarks.synthetic import demo_words, synthetic_documents

RESULTS = Path(__file__).parent / "results" / "latest.json"

# The more is trained on, the less of it is the start of a process.
_TRAINING = 2_000
_LATENCY_ROUNDS = 30
_LATENCY_DOCUMENTS = 10

_BEGAN = time.perf_counter()

Documents = Sequence[tuple[str, str]]


def main() -> None:
    """Measure, print, write."""
    options = _options()
    results: dict[str, float] = {}
    with TemporaryDirectory(prefix="lexiclass-bench-", dir=options.directory) as name:
        largest = max(*options.sizes, options.predicted)
        documents = list(synthetic_documents(demo_words(), largest, seed=0))
        measure_library(Path(name) / "library", documents, options, results)
        measure_service(Path(name) / "service", documents, options, results)
    about = {
        "sizes": options.sizes,
        "predicted": options.predicted,
        "rounds": options.rounds,
        "processors": library.NUM_PROCESSES,
        "python": platform.python_version(),
        "minutes": round((time.perf_counter() - _BEGAN) / 60, 1),
        "load": round(os.getloadavg()[0], 1),
    }
    rounded = {key: round(value, 3) for key, value in results.items()}
    options.results.write_text(json.dumps({**rounded, "about": about}, indent=2) + "\n")
    print(f"\nwritten to {options.results}")


def measure_library(
    directory: Path, documents: Documents, options: argparse.Namespace, results: dict[str, float]
) -> None:
    """Indexing and training without servers."""
    whole = library.Corpus.write(directory, documents[: max(options.sizes)])
    settle()
    small, large = whole.first(min(options.sizes)), whole
    print(
        f"{len(small.texts):,} and {len(large.texts):,} documents, {large.num_bytes / 1e6:.0f} MB"
    )

    seconds = library.index_texts(large, options.rounds)
    tell(results, "index.vs_sklearn", ratio(seconds, "sklearn", "lexiclass"))

    seconds = library.train(small, options.rounds)
    tell(results, "train.vs_sklearn_pipeline", ratio(seconds, "pipeline", "lexiclass"))
    tell(results, "train.vs_fit_alone", ratio(seconds, "lexiclass", "fit_alone"))

    per_document: dict[int, float] = {}
    for size in sorted(options.sizes):
        corpus = whole.first(size)
        seconds = library.index_files(corpus, options.rounds)
        per_document[size] = medians(seconds)["fresh"] / size
    tell(results, "index.peak_mb", library.peak_of_indexing(large) / 1e6)
    tell(results, "reindex.unchanged_fraction", ratio(seconds, "unchanged", "fresh"))
    tell(results, "reindex.one_percent_fraction", ratio(seconds, "one_percent", "fresh"))
    first = min(per_document)
    for size in sorted(per_document)[1:]:
        name = f"scaling.index_{thousands(size)}_over_{thousands(first)}"
        tell(results, name, per_document[size] / per_document[first])


def measure_service(
    directory: Path, documents: Documents, options: argparse.Namespace, results: dict[str, float]
) -> None:
    """Predicting with real workers, and how long one waits for them."""
    directory.mkdir()
    with open_house(directory) as house:
        project = house.import_texts(documents[: options.predicted], _TRAINING)
        settle()
        with house.workers(processes=1, threads=2):
            house.succeed(house.client.index(project.project_id))
            seconds = service.index_again(house, project, rounds=1)
            tell(results, "reindex.task_unchanged_fraction", ratio(seconds, "unchanged", "fresh"))
            house.succeed(house.client.train(project.project_id, project.field_id))
            seconds = service.predict_all(house, project, options.rounds)
            tell(results, "predict.vs_bare_write", ratio(seconds, "predict", "bare_write"))
            speed = options.predicted / medians(seconds)["predict"]
            tell(results, "predict.documents_per_second", speed)
            ids = asyncio.run(tasks.document_ids(house, project.project_id))[:_LATENCY_DOCUMENTS]
            waits = [
                asyncio.run(tasks.latency(house, project.project_id, project.field_id, ids))[1]
                for _ in range(_LATENCY_ROUNDS)
            ]
            tell(results, "latency.p50_ms", statistics.median(waits))


def tell(results: dict[str, float], name: str, value: float) -> None:
    """Keep a figure and print it."""
    results[name] = value
    print(f"{time.perf_counter() - _BEGAN:6.0f} s  {name:<36}{value:>12,.3f}", flush=True)


def thousands(number: int) -> str:
    """Return a number of documents as it is spoken."""
    return f"{number // 1_000_000}m" if number >= 1_000_000 else f"{number // 1_000}k"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10_000, 100_000], help="documents to index"
    )
    parser.add_argument("--predicted", type=int, default=100_000, help="documents to predict")
    parser.add_argument("--rounds", type=int, default=5, help="how often each thing is done")
    parser.add_argument("--directory", type=Path, help="where to write; a temporary folder's place")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
