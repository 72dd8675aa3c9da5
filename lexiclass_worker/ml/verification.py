"""Checking that a model's files are complete and unchanged, without loading it."""

from pathlib import Path
from typing import Any

from lexiclass.manifest import MANIFEST_FILE, Manifest, verify_model
from lexiclass_worker.jobs.supervision import ReportProgress
from lexiclass_worker.jobs.training import VerifyJob


def verify_files(job: VerifyJob, _report: ReportProgress) -> dict[str, Any]:
    """Verify a model in the sandbox; see :func:`verified`."""
    return verified(job.directory)


def verified(directory: Path) -> dict[str, Any]:
    """Read every byte of a model and hold it against the manifest.

    Returns:
        ``summary``, what is kept of the manifest in ``model.manifest``; ``metadata``, what the
        model was saved with; ``sizes``, name and size in bytes of every file.

    Raises:
        ModelCorrupt: If a file is missing, changed, unknown or not understood.
        PluginMismatch: If a newer version of the library wrote it.
    """
    manifest = verify_model(directory)
    sizes = {name: record.size for name, record in manifest.files.items()}
    sizes[MANIFEST_FILE] = (directory / MANIFEST_FILE).stat().st_size
    return {
        "summary": {**_summary(manifest), "size_bytes": sum(sizes.values())},
        "metadata": manifest.metadata,
        "sizes": sizes,
    }


def _summary(manifest: Manifest) -> dict[str, Any]:
    """What stays known of a model when its files are gone."""
    return {
        "format_version": manifest.format_version,
        "training_digest": manifest.training_digest,
        "model_digest": manifest.model_digest,
        "manifest_digest": manifest.file_digest,
        "spec": manifest.spec.model_dump(mode="json"),
        "library_versions": manifest.library_versions,
    }
