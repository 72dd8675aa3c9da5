"""``lexiclass evaluate``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lexiclass.cli.corpus import Corpus, LabelledCorpus, LabelledOptions, label_set
from lexiclass.cli.evaluation import AllClasses, print_metrics
from lexiclass.cli.option_groups import grouped
from lexiclass.cli.output import AsJson, print_json, warn
from lexiclass.cli.progress import progress_bar
from lexiclass.errors import NoDocuments

if TYPE_CHECKING:
    from lexiclass.stages import Progress


@dataclass(slots=True)
class _TestDocuments:
    """Labelled documents of a corpus to test with, noting what they are as they pass.

    Attributes:
        documents: Where they come from.
        test_fraction: Share of those without a split that is for testing.
        labels: Labels of those that have passed.
        digests: Digests of their texts.
    """

    documents: Corpus
    test_fraction: float
    labels: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)

    def texts(self) -> Iterator[str]:
        """Read their texts, once."""
        from lexiclass.corpora import split_of
        from lexiclass.manifest import text_digest

        for document in self.documents:
            if document.label is not None and split_of(document, self.test_fraction) == "test":
                self.labels.append(document.label)
                self.digests.append(text_digest(document.text))
                yield document.text


@grouped
def evaluate(
    model: Annotated[Path, typer.Argument(help="Directory of a model.")],
    corpus: LabelledCorpus,
    all_classes: AllClasses = False,
    *,
    reading: LabelledOptions,
    as_json: AsJson = False,
) -> None:
    """Compare a model's predictions with labels.

    Tested with are the documents whose split is test. Of those without a split it is the ones that
    `train --test-fraction` held out, or all if it held out none.
    """
    from lexiclass.evaluation import evaluate as compare
    from lexiclass.evaluation import evaluate_label_sets
    from lexiclass.manifest import read_manifest, training_digest
    from lexiclass.pipeline import Pipeline

    pipeline = Pipeline.load(model)
    manifest = read_manifest(model)
    documents = reading.open(corpus, multi_label=pipeline.spec.multi_label)
    tested = _TestDocuments(documents, manifest.metadata.get("test_fraction") or 1.0)
    with progress_bar() as tell:
        predictions = pipeline.predict(_counted(tested.texts(), tell))
    if not tested.labels:
        raise NoDocuments(
            f"{str(corpus)!r} has no labelled document to test with; give it some with the split "
            "test, or train with --test-fraction."
        )
    if pipeline.spec.multi_label:
        label_sets = [label_set(label) for label in tested.labels]
        digest = training_digest(zip(tested.digests, label_sets, strict=True))
        metrics = evaluate_label_sets(label_sets, predictions)
    else:
        digest = training_digest(zip(tested.digests, tested.labels, strict=True))
        metrics = compare(tested.labels, predictions)
    if digest == manifest.training_digest:
        warn("these are the documents the model was trained on; it will do worse on others")
    for warning in documents.warnings():
        warn(warning)
    if as_json:
        print_json({"num_test_documents": len(tested.labels), **metrics})
    else:
        print_metrics(metrics, all_classes=all_classes)


def _counted(texts: Iterator[str], tell: Progress) -> Iterator[str]:
    for done, text in enumerate(texts, start=1):
        tell("predict", done, done)
        yield text
