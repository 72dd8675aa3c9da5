"""``lexiclass train``."""

from __future__ import annotations

from errno import ENOTDIR
from os import strerror
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from lexiclass.cli.corpus import (
    LabelledCorpus,
    LabelledOptions,
    TestFraction,
    label_set,
    training_documents,
)
from lexiclass.cli.option_groups import grouped
from lexiclass.cli.output import AsJson, print_report, rounded
from lexiclass.cli.parameters import Params, pipeline_spec
from lexiclass.cli.progress import progress_bar
from lexiclass.errors import InvalidParameters, NotEnoughDocuments
from lexiclass.spec import PipelineSpec

_DEFAULT = PipelineSpec()


@grouped
def train(
    corpus: LabelledCorpus,
    model: Annotated[Path, typer.Argument(help="Directory to make.")],
    tokenizer: Annotated[str, typer.Option()] = _DEFAULT.tokenizer,
    features: Annotated[str, typer.Option(help="Feature extractor.")] = _DEFAULT.feature_extractor,
    classifier: Annotated[str, typer.Option()] = _DEFAULT.classifier,
    locale: Annotated[str, typer.Option(help="Language of the documents.")] = _DEFAULT.locale,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1)] = _DEFAULT.seed,
    param: Params = None,
    multi_label: Annotated[
        bool,
        typer.Option(
            "--multi-label", help="A document can have any number of labels: economy|politics."
        ),
    ] = False,
    threshold: Annotated[
        float, typer.Option(help="With --multi-label: probability from which it has a class.")
    ] = _DEFAULT.threshold,
    test_fraction: TestFraction = 0.0,
    *,
    reading: LabelledOptions,
    allow_downloads: Annotated[
        bool, typer.Option("--allow-downloads", help="Fetch a pretrained model that is not here.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train on the labelled documents that are not for testing, and write a model."""
    from lexiclass.pipeline import Pipeline
    from lexiclass.plugins.builtin import default_registry

    registry = default_registry()
    spec = pipeline_spec(
        registry,
        param or (),
        tokenizer=tokenizer,
        feature_extractor=features,
        classifier=classifier,
        locale=locale,
        seed=seed,
        multi_label=multi_label,
        threshold=threshold,
    )
    _require_free(model)
    _require_writable(model)
    pipeline = Pipeline(spec, registry, allow_downloads=allow_downloads)
    documents = reading.open(corpus, multi_label=multi_label)
    # Read twice, so that the texts need not all be in memory: labels now, texts as they are used.
    names = [label for _, label in training_documents(documents, test_fraction)]
    labels = [label_set(name) for name in names] if multi_label else names
    with progress_bar() as tell:
        texts = (text for text, _ in training_documents(documents, test_fraction))
        try:
            report = pipeline.fit(texts, labels, progress=tell)
        except NotEnoughDocuments as error:
            num_held_out = documents.num_labelled - len(labels)
            raise NotEnoughDocuments(**{**error.details, "num_held_out": num_held_out}) from error
    manifest = pipeline.save(model, metadata={"test_fraction": test_fraction})
    print_report(
        {
            "model": str(model),
            **{place: info.name for place, info in registry.stages(spec).items()},
            "documents": report.num_documents,
            "held_out": documents.num_labelled - report.num_documents,
            "classes": report.num_classes,
            "features": report.num_features,
            "calibration_documents": report.num_calibration_documents,
            "seconds": rounded(report.stage_seconds),
            "model_digest": manifest.model_digest,
            **documents.report(),
        },
        as_json=as_json,
    )


def _require_free(model: Path) -> None:
    """Fail before the training, not after it."""
    if model.exists() and not (model.is_dir() and not any(model.iterdir())):
        raise InvalidParameters(
            f"{str(model)!r} exists already; choose another directory or remove it.",
            details={"path": str(model)},
        )


def _require_writable(model: Path) -> None:
    """Fail before the training where no model could be written after it, and leave nothing."""
    folder = next(each for each in model.absolute().parents if each.exists())
    if not folder.is_dir():
        raise NotADirectoryError(ENOTDIR, strerror(ENOTDIR), str(folder))
    with TemporaryDirectory(dir=folder, prefix="."):
        pass
