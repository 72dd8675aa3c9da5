"""What the report of an evaluation costs beside the evaluation itself.

Synthetic documents, half of them to learn from and half to test with, dealt out to so many classes.
The evaluation reads texts, predicts and compares; the report is all that comes after it: baselines,
near-duplicates, figures and the files. Seconds are those of processors::

    python -m benchmarks.reports --documents 10000 --classes 50 --classes 5000
"""

from __future__ import annotations

import argparse
import csv
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import peak_memory
from benchmarks.synthetic import demo_words, synthetic_documents
from lexiclass import Pipeline, PipelineSpec, evaluate_decisions, read_manifest
from lexiclass.cli.corpus import Corpus
from lexiclass.cli.report_notes import ReportNotes
from lexiclass.cli.reports import write_report
from lexiclass.cli.tested import TestedDocuments, predict_tested
from lexiclass.manifest import text_digest


def main() -> None:
    """Print a line for each number of classes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--documents", type=int, default=10_000, help="to test with")
    parser.add_argument("--classes", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print("documents  classes  training s  evaluation s  report s  MiB without  MiB with")
    for num_classes in options.classes or [50, 5_000]:
        with tempfile.TemporaryDirectory() as directory:
            _measure(Path(directory), options.documents, num_classes, options.rounds)


def _measure(root: Path, number: int, num_classes: int, rounds: int) -> None:
    began = time.perf_counter()
    _prepare(root, number, num_classes)
    trained_s = time.perf_counter() - began
    pairs = [[_seconds(root, with_report=which) for which in (False, True)] for _ in range(rounds)]
    evaluation_s = statistics.median(alone for alone, _ in pairs)
    report_s = statistics.median(both - alone for alone, both in pairs)
    without, with_report = (
        peak_memory(_evaluate_once, root, which) / 2**20 for which in (False, True)
    )
    print(
        f"{number:>9,}  {num_classes:>7,}  {trained_s:>10.1f}  {evaluation_s:>12.2f}  "
        f"{report_s:>8.2f}  {without:>11.0f}  {with_report:>8.0f}"
    )


def _seconds(root: Path, *, with_report: bool) -> float:
    """Processor time: what else the machine does is in no figure."""
    began = time.process_time()
    _evaluate(root, with_report=with_report)
    return time.process_time() - began


def _prepare(root: Path, number: int, num_classes: int) -> None:
    """Write the corpus, and train on its first half."""
    texts = []
    with (root / "corpus.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label", "split"))
        for place, (text, label) in enumerate(synthetic_documents(demo_words(), 2 * number, 1)):
            # A word of its own that each class has: thousands of classes can be told apart.
            part = place % max(1, num_classes // 10)
            name, split = f"{label} {part}", "train" if place < number else "test"
            row = (f"{text} part{part}", name, split)
            writer.writerow(row)
            texts.append(row)
    learned = texts[:number]
    pipeline = Pipeline(PipelineSpec(feature_extractor="bow"))
    tokens = pipeline.tokenize(text for text, _, _ in learned)
    digests = [text_digest(text) for text, _, _ in learned]
    pipeline.fit_tokens(tokens, [label for _, label, _ in learned], digests=digests)
    pipeline.save(root / "model")


def _evaluate_once(root: Path, with_report: bool) -> None:  # noqa: FBT001 - for another process
    _evaluate(root, with_report=with_report)


def _evaluate(root: Path, *, with_report: bool) -> None:
    """Do what ``lexiclass evaluate`` does."""
    pipeline, manifest = Pipeline.load(root / "model"), read_manifest(root / "model")
    notes = ReportNotes(pipeline, manifest, with_texts=False) if with_report else None
    tested = TestedDocuments(Corpus(root / "corpus.csv"), 1.0, notes)
    outcomes = predict_tested(pipeline, tested, lambda *_: None)
    predicted = [outcomes.classes[code] for code in outcomes.predicted.tolist()]
    evaluate_decisions(tested.labels, predicted, outcomes.confidence)
    if notes is not None:
        write_report(root / "report.html", outcomes, manifest, notes, tested, name="model")


if __name__ == "__main__":
    main()
