"""``lexiclass evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from lexiclass.cli.corpus import LabelledCorpus, LabelledOptions
from lexiclass.cli.evaluation import AllClasses, print_metrics
from lexiclass.cli.option_groups import grouped
from lexiclass.cli.output import AsJson, print_json, print_text, warn
from lexiclass.cli.progress import progress_bar

ReportPath = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write the report of the evaluation: FILE.html is a page, with FILE.json beside it; "
        "FILE.json is for programs alone. What is there is replaced.",
    ),
]
WithTexts = Annotated[
    bool,
    typer.Option(
        "--with-texts", help="Show in the report how documents begin that are predicted wrong."
    ),
]


@grouped
def evaluate(
    model: Annotated[Path, typer.Argument(help="Directory of a model.")],
    corpus: LabelledCorpus,
    all_classes: AllClasses = False,
    report: ReportPath = None,
    with_texts: WithTexts = False,
    *,
    reading: LabelledOptions,
    as_json: AsJson = False,
) -> None:
    """Compare a model's predictions with labels.

    Tested with are the documents whose split is test. Of those without a split it is the ones that
    `train --test-fraction` held out, or all if it held out none.
    """
    from lexiclass.cli.report_notes import ReportNotes
    from lexiclass.cli.reports import require_reportable, write_report
    from lexiclass.cli.tested import TestedDocuments, evaluate_sets, predict_tested
    from lexiclass.evaluation import evaluate_decisions
    from lexiclass.manifest import read_manifest
    from lexiclass.pipeline import Pipeline

    pipeline = Pipeline.load(model)
    manifest = read_manifest(model)
    multi_label = pipeline.spec.multi_label
    if report is not None:
        require_reportable(report, multi_label=multi_label)
    documents = reading.open(corpus, multi_label=multi_label)
    notes = None if report is None else ReportNotes(pipeline, manifest, with_texts=with_texts)
    tested = TestedDocuments(documents, manifest.metadata.get("test_fraction") or 1.0, notes)
    verdict = None
    with progress_bar() as tell:
        if multi_label:
            metrics = evaluate_sets(pipeline, tested, tell)
        else:
            outcomes = predict_tested(pipeline, tested, tell)
            predicted = [outcomes.classes[code] for code in outcomes.predicted.tolist()]
            metrics = evaluate_decisions(tested.labels, predicted, outcomes.confidence)
            if report is not None and notes is not None:
                verdict = write_report(report, outcomes, manifest, notes, tested, name=str(model))
    if tested.digest(multi_label=multi_label) == manifest.training_digest:
        warn("these are the documents the model was trained on; it will do worse on others")
    for warning in documents.warnings():
        warn(warning)
    if as_json:
        print_json({"num_test_documents": len(tested.labels), **metrics})
        return
    print_metrics(metrics, all_classes=all_classes)
    if verdict is not None:
        print_text(f"\n{escape(verdict)}")
        print_text(f"The report is in {escape(str(report))}.")
