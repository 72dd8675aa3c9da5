"""How many planted wrong labels are found: ``make bench-labels DATA='a.csv b.csv'``.

Some of a corpus's training labels are replaced by another class at random. A pipeline is trained on
them and lists the labels that look wrong. ``at 50`` is which share of the 50 most suspect ones were
planted, ``all`` which share of all suspects; ``recall`` which share of the planted ones is found,
``better`` how often the class that fits better is the one that was there before. ``estimate`` is
how many are wrong as confident learning estimates, of the documents held out. A corpus has wrong
labels of its own, which count as false alarms here: the row without planted ones says how many
suspects there are.

Without corpora it measures on the docstrings of the installed libraries. Figures are means over
draws.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.trust import load
from lexiclass import Pipeline, PipelineSpec
from lexiclass.label_quality import find_suspects
from lexiclass_worker.demo_corpus import build_demo_corpus

_SHARES = (0.0, 0.02, 0.05, 0.1)
_TOP = 50
_COLUMNS = ("at 50", "all", "recall", "better", "suspects", "planted", "estimate", "held", "s")


def main() -> None:
    """Measure, print, write."""
    options = _options()
    corpora = {path.stem: load(path).train for path in options.data}
    if not corpora or options.demo:
        corpora["docstrings"] = [
            (document.text, document.label)
            for document in build_demo_corpus()
            if document.split == "train"
        ]
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name, documents in corpora.items():
        for held_out in ("enough", "all"):
            title = f"{name}, {held_out} held out"
            results[title] = {}
            for share in _SHARES:
                draws = [measure(documents, share, held_out, seed) for seed in range(options.draws)]
                figures = {
                    column: float(np.mean([draw[column] for draw in draws])) for column in _COLUMNS
                }
                results[title][f"{share:g}"] = figures
                _print(title, share, figures)
    if options.results:
        options.results.write_text(json.dumps(results, indent=2) + "\n")


def measure(
    documents: Sequence[tuple[str, str]], share: float, held_out: str, seed: int
) -> dict[str, float]:
    """Plant wrong labels, train, and look for them."""
    random = np.random.default_rng(seed)
    true = np.array([label for _, label in documents], dtype=object)
    classes = sorted(set(true))
    wrong = np.zeros(len(true), dtype=np.bool_)
    wrong[random.choice(len(true), round(share * len(true)), replace=False)] = True
    labels = true.copy()
    for row in np.flatnonzero(wrong):
        labels[row] = random.choice([name for name in classes if name != true[row]])
    pipeline = Pipeline(
        PipelineSpec(feature_extractor="tfidf", classifier_params={"held_out": held_out})
    )
    start = time.perf_counter()
    pipeline.fit([text for text, _ in documents], labels.tolist())
    seconds = time.perf_counter() - start
    assert pipeline.evidence is not None
    report = find_suspects(pipeline.evidence, pipeline.classes, most=len(true))
    found = np.array([suspect.document for suspect in report.suspects], dtype=np.intp)
    better = [each.suggested == true[each.document] for each in report.suspects]
    is_planted = wrong[found]
    return {
        "at 50": float(is_planted[:_TOP].mean()) if len(found) else 0.0,
        "all": float(is_planted.mean()) if len(found) else 0.0,
        "recall": float(is_planted.sum() / max(wrong.sum(), 1)),
        "better": float(np.mean(np.array(better)[is_planted])) if is_planted.any() else 0.0,
        "suspects": len(found),
        "planted": int(wrong.sum()),
        "estimate": report.num_wrong,
        "held": report.num_held_out,
        "s": seconds,
    }


def _print(title: str, share: float, figures: dict[str, float]) -> None:
    shown = "  ".join(
        f"{name} {value:.2f}" if value <= 1 else f"{name} {value:,.0f}"
        for name, value in figures.items()
    )
    print(f"{title}, {share:.0%} planted: {shown}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", nargs="*", type=Path, help="corpora, as `project import` reads")
    parser.add_argument("--demo", action="store_true", help="the docstrings as well")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--results", type=Path, help="write the figures here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
