"""A model's directory: a manifest, and a subdirectory for what each plugin has learned."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lexiclass.atomic_write import staged_directory
from lexiclass.checksums import list_files, record_files
from lexiclass.compatibility import check_versions
from lexiclass.corruption import taking_in
from lexiclass.errors import ModelCorrupt
from lexiclass.familiarity import Familiarity, save_familiarity
from lexiclass.label_quality import TrainingEvidence
from lexiclass.manifest import MANIFEST_FILE, Manifest, library_versions
from lexiclass.plugins.base import Classifier, FeatureExtractor, Plugin, PluginType
from lexiclass.writing import writing


def save_model(
    directory: Path,
    plugins: Mapping[PluginType, Plugin],
    familiarity: Familiarity | None = None,
    evidence: TrainingEvidence | None = None,
    **description: Any,
) -> Manifest:
    """Write trained plugins and their manifest; the directory appears complete or not at all.

    The description has the fields of :class:`~lexiclass.manifest.Manifest` that are not about files
    and versions.

    Raises:
        InvalidParameters: If the directory is not empty, or something can't be stored.
    """
    with staged_directory(directory) as staging:
        for place, plugin in plugins.items():
            (staging / place).mkdir()
            with writing(staging / place):
                plugin.save(staging / place)
        save_familiarity(staging, familiarity)
        if evidence is not None:
            evidence.save(staging)
        manifest = Manifest(
            plugin_versions={place: dict(plugin.versions()) for place, plugin in plugins.items()},
            library_versions=library_versions(),
            files=record_files(staging, list_files(staging)),
            **description,
        )
        data = manifest.to_bytes()
        with writing(staging / MANIFEST_FILE):
            (staging / MANIFEST_FILE).write_bytes(data)
    return Manifest.from_bytes(data)


def load_plugins(directory: Path, manifest: Manifest, plugins: Mapping[PluginType, Plugin]) -> None:
    """Give newly made plugins back what they had learned, after the directory was verified.

    Raises:
        ModelCorrupt: If files are not understood.
        PluginMismatch: If the installed libraries would predict otherwise.
    """
    for place, plugin in plugins.items():
        check_versions(place, manifest.plugin_versions.get(place, {}), plugin.versions())
        extractor = plugins.get(PluginType.FEATURE_EXTRACTOR)
        if isinstance(plugin, Classifier) and isinstance(extractor, FeatureExtractor):
            # The extractor comes first, and is there.
            plugin.num_inputs = extractor.num_features()
            if plugin.num_inputs != manifest.num_features:
                raise ModelCorrupt(
                    MANIFEST_FILE,
                    f"says {manifest.num_features} features, there are {plugin.num_inputs}",
                )
        with taking_in(place):
            plugin.load(directory / place)
