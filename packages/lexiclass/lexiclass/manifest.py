"""What a saved model is made of, and the proof that it is complete and unchanged."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import icu4py
from pydantic import Field, field_validator

from lexiclass.checksums import FileName, FileRecord, list_files, verify_content
from lexiclass.compatibility import spelled_out
from lexiclass.errors import ModelCorrupt
from lexiclass.regular_files import read_regular
from lexiclass.self_digest import MAX_MANIFEST_BYTES, StoredManifest, dump_with_digest
from lexiclass.serialization import canonical_json
from lexiclass.spec import PipelineSpec

#: Name of the manifest in a model directory.
MANIFEST_FILE = "manifest.json"

#: Name of what a training knows of its documents' labels, which predictions do not come from; see
#: :mod:`lexiclass.label_quality`.
EVIDENCE_FILE = "held_out.safetensors"

#: Raised when an older reader could not read what a newer writer writes. A reader knows all
#: versions up to its own; an older one refuses.
#:
#: 1. The first one.
#: 2. ``spec`` has ``multi_label`` and ``threshold``, and no parameters for stages that do not run.
#: 3. Calibrators know how much scores rest on; ``num_calibration_documents``.
#: 4. ``split_identifiers`` of the tokenizer ``icu``; without it nothing was split.
#: 5. ``held_out`` of the classifier ``svm``.
#: 6. Calibrators learn what little evidence is worth by several knots; ``term_weighting`` of the
#:    classifier ``svm``, without which all features counted alike.
FORMAT_VERSION = 6

_DISTRIBUTIONS = ("lexiclass", "numpy", "scipy", "scikit-learn", "icu4py")


class Manifest(StoredManifest):
    """Description of a saved model.

    Attributes:
        format_version: Version of the directory's layout.
        created_at: When it was saved.
        spec: The pipeline, every parameter spelled out.
        plugin_versions: For each place of the pipeline, the libraries whose major version must be
            the same where the model is loaded.
        library_versions: What it was trained with, for people.
        classes: The class names, sorted.
        num_documents: Number of training documents.
        num_features: Number of features.
        num_calibration_documents: How many documents confidences were fitted on; ``None`` where the
            classifier does not say, or the model is older than that.
        training_digest: See :func:`training_digest`.
        metadata: Whatever the caller added.
        files: Every other file of the directory, by its relative name.
    """

    file_name = MANIFEST_FILE
    supported = FORMAT_VERSION

    format_version: int = FORMAT_VERSION
    created_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    spec: PipelineSpec
    plugin_versions: dict[str, dict[str, str]]
    library_versions: dict[str, str]
    classes: tuple[str, ...]
    num_documents: int = Field(ge=0, lt=2**31)
    num_features: int = Field(ge=0, lt=2**31)
    num_calibration_documents: int | None = Field(default=None, ge=0, lt=2**31)
    training_digest: str
    metadata: dict[str, Any] = Field(default_factory=dict)
    files: dict[FileName, FileRecord]

    @field_validator("spec")
    @classmethod
    def _spelled_out(cls, spec: PipelineSpec) -> PipelineSpec:
        spelled = {
            f"{place}_params": spelled_out(place, getattr(spec, place), params)
            for place in ("tokenizer", "feature_extractor", "classifier")
            if (params := getattr(spec, f"{place}_params"))  # none are stored where none runs
        }
        return spec.model_copy(update=spelled)

    @property
    def model_digest(self) -> str:
        """SHA-256 of what decides predictions: equal for two trainings on the same data and seed.

        Over the pipeline, the libraries it must be loaded with, the classes and all data files that
        predictions come from; not over when, by whom or for what the model was made, nor over what
        its documents are called.
        """
        content = {
            **self.model_dump(mode="json", include={"spec", "plugin_versions", "classes"}),
            "files": {
                name: rec.sha256 for name, rec in self.files.items() if name != EVIDENCE_FILE
            },
        }
        return hashlib.sha256(canonical_json(content)).hexdigest()

    def to_bytes(self) -> bytes:
        """Encode for the file.

        Raises:
            InvalidParameters: If the metadata have no JSON form.
        """
        return dump_with_digest(
            {**self.model_dump(mode="json", exclude={"metadata"}), "metadata": self.metadata}
        )


def read_manifest(directory: Path, *, digest: str | None = None) -> Manifest:
    """Read a manifest and check that it is itself unchanged; looks at no other file.

    Where a SHA-256 is given, the file must have it.

    Raises:
        ModelCorrupt: If it is missing, changed, another one or not understood.
        PluginMismatch: If a newer version of this library wrote it.
    """
    data = read_regular(directory / MANIFEST_FILE, MAX_MANIFEST_BYTES)
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise ModelCorrupt(
            MANIFEST_FILE, f"its SHA-256 is not {digest}: it is changed, or another model's"
        )
    return Manifest.from_bytes(data)


def verify_model(directory: Path, *, digest: str | None = None) -> Manifest:
    """Read a manifest and check every byte of the directory against it.

    Where a SHA-256 is given, the manifest must have it.

    Raises:
        ModelCorrupt: If a file is missing, changed, or not in the manifest.
        PluginMismatch: If a newer version of this library wrote it.
    """
    manifest = read_manifest(directory, digest=digest)
    # The names found on disk can't lead out of the directory; equal names therefore can't either.
    found = set(list_files(directory)) - {MANIFEST_FILE}
    for name in sorted(found ^ set(manifest.files)):
        raise ModelCorrupt(name, "not in the manifest" if name in found else "missing")
    verify_content(directory, manifest.files)
    return manifest


def library_versions() -> dict[str, str]:
    """Return the versions of what training depends on."""
    versions = {name: version(name) for name in _DISTRIBUTIONS}
    return versions | {"ICU": icu4py.icu_version, "python": platform.python_version()}


def text_digest(text: str) -> str:
    """Return a 128-bit BLAKE2b digest of a text's UTF-8, in hexadecimal."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def training_digest(documents: Iterable[tuple[str, str | Collection[str]]]) -> str:
    """Return the SHA-256 of documents, each a digest and its labels, whatever their order."""
    rows = [
        (digest, label) if isinstance(label, str) else (digest, *sorted(set(label)))
        for digest, label in documents
    ]
    return hashlib.sha256(canonical_json(sorted(rows))).hexdigest()
