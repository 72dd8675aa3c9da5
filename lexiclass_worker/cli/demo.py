"""``lexiclass-worker demo``: real documents on their whole way through real workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.text import Text

from lexiclass_worker.cli.connections import open_client, open_sessions
from lexiclass_worker.cli.console import console_beside
from lexiclass_worker.cli.follow import submit_and_watch
from lexiclass_worker.cli.output import (
    AsJson,
    console,
    print_json,
    print_rows,
    prose,
    told_beside,
)
from lexiclass_worker.cli.project import import_with_progress
from lexiclass_worker.cli.run import interruptible, print_step
from lexiclass_worker.config import Settings

if TYPE_CHECKING:
    from lexiclass_core.client import TaskClient
    from lexiclass_core.schemas import EvaluateResult
    from lexiclass_worker.admin.import_report import ImportReport
    from lexiclass_worker.standalone import Standalone

_EXAMPLES: Final = 8
_EXCERPT_CHARACTERS: Final = 54


def demo(
    directory: Annotated[Path, typer.Option(help="Keeps the data.")] = Path(".demo"),
    as_json: AsJson = False,
) -> None:
    """Index, train on, evaluate and predict real documents, and show what came of it."""
    from lexiclass_core.layout import REPORT_PAGE

    began = time.monotonic()
    with told_beside(as_json=as_json):
        report, evaluation = _run(directory)
        seconds = time.monotonic() - began
        console.print(f"\nDone in {seconds:.0f} s.")
        console.print("The report of the evaluation, for a browser:")
        page = f"{evaluation.report_path}/{REPORT_PAGE}"
        console.print(page, markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json(
            {
                "project_id": report.project_id,
                "field_id": report.field_id,
                "evaluation": evaluation.model_dump(mode="json"),
                "report": page,
                "seconds": round(seconds, 3),
            }
        )


def _run(directory: Path) -> tuple[ImportReport, EvaluateResult]:
    from lexiclass_worker.cli.evaluation import print_evaluation
    from lexiclass_worker.demo_corpus import write_demo_corpus
    from lexiclass_worker.standalone import standalone

    with interruptible():
        with (
            standalone(directory, threads=2, on_step=print_step) as running,
            _console_beside(running.settings),
        ):
            print_step("collecting the docstrings of the installed libraries")
            corpus = directory / "corpus.jsonl"
            written = write_demo_corpus(corpus)
            console.print(f"{written:,} documents in {corpus}")
            report = _import(running.settings, corpus)
            with open_client(running.settings) as client:
                evaluation = _work(client, report)
            print_evaluation(evaluation.metrics)
            asyncio.run(_print_outcome(running, report))
        _print_next_steps(directory, report)
    return report, evaluation


@contextmanager
def _console_beside(settings: Settings) -> Iterator[None]:
    console.print("\n[bold]Watch it in a browser[/], as long as it runs:")
    with console_beside(settings):
        console.print()
        yield


def _import(settings: Settings, corpus: Path) -> ImportReport:
    from lexiclass.corpora import Columns
    from lexiclass_worker.admin.import_report import ImportRequest

    request = ImportRequest(
        path=corpus,
        project="docstrings",
        columns=Columns(labels={"subject": "label"}),
        test_fraction=0.25,
        max_bytes=settings.limits.document_bytes,
    )
    report = import_with_progress(settings, request)
    console.print(
        f"imported as project {report.project_id}: {report.num_training:,} training and "
        f"{report.num_test:,} test documents in {len(report.classes)} classes"
    )
    return report


def _work(client: TaskClient, report: ImportReport) -> EvaluateResult:
    """Index, train, evaluate and predict, by messages through Redis."""
    from lexiclass_core.schemas import (
        EvaluateFieldModel,
        EvaluateResult,
        IndexDocuments,
        PredictFieldDocuments,
        TrainFieldModel,
    )

    project_id, field_id = report.project_id, report.field_id
    submit_and_watch(client, IndexDocuments(project_id=project_id), "index")
    training = TrainFieldModel(
        project_id=project_id, field_id=field_id, feature_extractor="tfidf", classifier="svm"
    )
    submit_and_watch(client, training, "train (tfidf + svm)")
    evaluated = submit_and_watch(
        client, EvaluateFieldModel(project_id=project_id, field_id=field_id), "evaluate"
    )
    prediction = PredictFieldDocuments(project_id=project_id, field_id=field_id, document_ids=None)
    submit_and_watch(client, prediction, "predict")
    return EvaluateResult.model_validate(evaluated.result)


async def _print_outcome(running: Standalone, report: ImportReport) -> None:
    from lexiclass_worker.repositories import summaries

    async with open_sessions(running.settings) as sessions, sessions() as session:
        examples = await summaries.example_predictions(session, report.field_id, _EXAMPLES)
        counts = await summaries.count_rows(session)
    rows = []
    for example in examples:
        text = (running.storage / example.content_path).read_text(encoding="utf-8")
        excerpt = " ".join(text.split())[:_EXCERPT_CHARACTERS]
        color = "green" if example.predicted == example.true_class else "red"
        rows.append(
            {
                "document": example.document_id,
                "predicted": Text(example.predicted, style=color),
                "true class": example.true_class,
                "confidence": Text(f"{example.confidence:.3f}", justify="right"),
                "text": excerpt,
            }
        )
    columns = ("document", "predicted", "true class", "confidence", prose("text"))
    print_rows(columns, rows, title="\nSome predictions for test documents")
    _print_places(running, report, counts)


def _print_places(running: Standalone, report: ImportReport, counts: dict[str, int]) -> None:
    project = running.storage / str(report.project_id)
    console.print("\n[bold]Files[/]", highlight=False)
    for name in ("documents", "indexes", "models", "predictions", "reports"):
        files = sum(1 for path in (project / name).rglob("*") if path.is_file())
        console.print(f"  {project / name}  ({files:,} files)", highlight=False, soft_wrap=True)
    console.print("[bold]Rows[/]", highlight=False)
    console.print("  " + ", ".join(f"{table} {count:,}" for table, count in counts.items()))


def _print_next_steps(directory: Path, report: ImportReport) -> None:
    steps: tuple[tuple[str, Any], ...] = (
        ("in a browser", f"lexiclass-worker standalone --directory {directory}"),
        ("look around", f"lexiclass-worker models show {report.field_id} 1"),
        ("its report", f"lexiclass-worker models report {report.field_id} 1 --open"),
        ("another model", f"lexiclass-worker train {report.project_id} {report.field_id} --wait"),
        ("your own data", "lexiclass-worker project import PATH"),
    )
    console.print("\n[bold]How to continue[/] (first: source .venv/bin/activate)", highlight=False)
    console.print(
        "Servers and console are stopped. The first command starts them again, and prints"
    )
    console.print("a link to the console; the others work in another terminal meanwhile.")
    for name, command in steps:
        console.print(f"  {name:<16}{command}", highlight=False, soft_wrap=True)
