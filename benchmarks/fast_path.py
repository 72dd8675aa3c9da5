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
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import library, service, tasks
from benchmarks.corpus import Corpus
from benchmarks.house import House, open_house
from benchmarks.measuring import medians, ratio
from benchmarks.synthetic import demo_words, synthetic_documents
from lexiclass_worker.admin.import_report import ImportReport

RESULTS = Path(__file__).parent / "results" / "latest.json"

# Documents of a training; and, of the project that is predicted, those with a class.
_TRAINED = 10_000
_LABELLED = 2_000
_LATENCY_ROUNDS = 30
_LATENCY_DOCUMENTS = 10

_BEGAN = time.perf_counter()


def main() -> None:
    """Measure, print, write."""
    options = _options()
    figures = Figures()
    documents = list(synthetic_documents(demo_words(), max(options.sizes), seed=0))
    with (
        TemporaryDirectory(prefix="lexiclass-bench-", dir=options.directory) as name,
        open_house(Path(name)) as house,
    ):
        project = house.import_texts(documents, _LABELLED)
        ids = asyncio.run(tasks.document_ids(house, project.project_id))
        os.sync()
        texts, labels = zip(*documents, strict=True)
        directory = Path(name) / "library"
        directory.mkdir()
        corpus = Corpus(
            storage=house.storage,
            project_id=project.project_id,
            ids=ids,
            texts=texts,
            labels=labels,
            directory=directory,
        )
        measure_library(corpus, options, figures)
        measure_service(house, project, ids, options.rounds, figures)
    about = {
        "sizes": sorted(options.sizes),
        "rounds": options.rounds,
        "megabytes": round(corpus.num_bytes / 1e6),
        "processors": library.NUM_PROCESSES,
        "python": platform.python_version(),
        "minutes": round((time.perf_counter() - _BEGAN) / 60, 1),
        "load": round(os.getloadavg()[0], 1),
    }
    print(f"\n{figures.table()}\n")
    print(f"{len(ids):,} documents, {about['megabytes']} MB, {about['minutes']} minutes")
    rounded = {key: round(value, 3) for key, value in figures.items()}
    options.results.write_text(json.dumps({**rounded, "about": about}, indent=2) + "\n")
    print(f"written to {options.results}")


def measure_library(corpus: Corpus, options: argparse.Namespace, figures: Figures) -> None:
    """Indexing and training without servers."""
    seconds = library.train(corpus.first(_TRAINED), options.rounds)
    figures["train.vs_sklearn_pipeline"] = ratio(seconds, "pipeline", "lexiclass")
    figures["train.vs_fit_alone"] = ratio(seconds, "lexiclass", "fit_alone")

    seconds = library.index(corpus, options.rounds)
    figures["index.vs_sklearn"] = ratio(seconds, "sklearn", "texts")
    figures["reindex.unchanged_fraction"] = ratio(seconds, "unchanged", "fresh")
    figures["reindex.one_percent_fraction"] = ratio(seconds, "one_percent", "fresh")

    *sizes, largest = sorted(options.sizes)
    per_document = {
        size: medians(library.index_fresh(corpus.first(size), options.rounds))["fresh"] / size
        for size in sizes
    }
    per_document[largest] = medians(seconds)["fresh"] / largest
    for size in per_document.keys() - {min(per_document)}:
        name = f"scaling.index_{thousands(size)}_over_{thousands(min(per_document))}"
        figures[name] = per_document[size] / per_document[min(per_document)]
    figures["index.peak_mb"] = library.peak_of_indexing(corpus) / 1e6


def measure_service(
    house: House, project: ImportReport, ids: Sequence[int], rounds: int, figures: Figures
) -> None:
    """Predicting with real workers, and how long one waits for them."""
    with house.workers(processes=1, threads=2):
        seconds = service.index(house, project)
        figures["reindex.task_unchanged_fraction"] = ratio(seconds, "unchanged", "fresh")
        house.succeed(house.client.train(project.project_id, project.field_id))
        seconds = service.predict_all(house, project, rounds)
        figures["predict.vs_bare_write"] = ratio(seconds, "predict", "bare_write")
        figures["predict.documents_per_second"] = len(ids) / medians(seconds)["predict"]
        few = ids[:_LATENCY_DOCUMENTS]
        waits = [
            asyncio.run(tasks.latency(house, project.project_id, project.field_id, few))[1]
            for _ in range(_LATENCY_ROUNDS)
        ]
        figures["latency.p50_ms"] = statistics.median(waits)


class Figures(dict[str, float]):
    """What was measured; each figure is told as soon as it is known."""

    def __setitem__(self, name: str, value: float) -> None:
        super().__setitem__(name, value)
        print(f"{time.perf_counter() - _BEGAN:4.0f} s  {name} {value:,.3f}", file=sys.stderr)

    def table(self) -> str:
        """Return all figures beside what they are held against."""
        lines = [f"{'figure':<36}{'measured':>12}{'to reach':>14}", "-" * 62]
        for name, value in self.items():
            limit = next((limit for prefix, limit in LIMITS.items() if name.startswith(prefix)), "")
            lines.append(f"{name:<36}{value:>12,.3f}{limit:>14}")
        return "\n".join(lines)


LIMITS: Final = {
    "train.vs_sklearn_pipeline": "at least 5.0",
    "train.vs_fit_alone": "at most 2.0",
    "index.vs_sklearn": "at least 2.0",
    "reindex.unchanged_fraction": "at most 0.05",
    "reindex.one_percent_fraction": "at most 0.10",
    "scaling.": "at most 1.3",
    "predict.vs_bare_write": "at most 2.0",
    "latency.p50_ms": "at most 100",
}


def thousands(number: int) -> str:
    """Return a number of documents as it is spoken."""
    return f"{number // 1_000_000}m" if number >= 1_000_000 else f"{number // 1_000}k"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[10_000, 100_000],
        help="documents to index; the most are also predicted",
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each thing is done")
    parser.add_argument("--directory", type=Path, help="where to write; a temporary folder's place")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
