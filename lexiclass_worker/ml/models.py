"""Loading the model of a request."""

from dataclasses import asdict
from pathlib import Path

from lexiclass import Manifest, Pipeline, PluginMismatch, read_manifest
from lexiclass_worker.ml.jobs import ExpectedPipeline


def load_model(
    directory: Path, expected: ExpectedPipeline, pretrained_directory: Path
) -> tuple[Pipeline, Manifest]:
    """The model in a directory, if it is what the request expects.

    Raises:
        PluginMismatch: If the request names another tokenizer, feature extractor or locale than
            the model was trained with.
        ModelCorrupt: If the files are damaged.
    """
    manifest = read_manifest(directory)
    trained_with = manifest.spec.model_dump()
    for name, wanted in asdict(expected).items():
        if wanted is not None and wanted != trained_with[name]:
            raise PluginMismatch(
                f"the request names the {name} {wanted!r}, the model was trained with "
                f"{trained_with[name]!r}: leave {name} out, or train a version with {wanted!r}",
                details={"plugin": name, "requested": wanted, "model": trained_with[name]},
            )
    return Pipeline.load(directory, model_directory=pretrained_directory), manifest
