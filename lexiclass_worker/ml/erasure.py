"""Taking documents out of all indexes of a project, in the sandbox."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass import ModelCorrupt, PluginMismatch
from lexiclass.index.embeddings.erasure import keep_embeddings
from lexiclass.index.embeddings.manifest import EmbeddingManifest
from lexiclass.index.erasure import keep_documents
from lexiclass.index.manifest import GenerationManifest, IndexManifest
from lexiclass_worker.ml import index_files
from lexiclass_worker.ml.jobs import EraseJob
from lexiclass_worker.ml.reporting import Supervision


def erase_from_indexes(job: EraseJob, report: Supervision) -> dict[str, Any]:
    """Keep the documents there are in every index, and no trace of any other.

    An index that would be empty is removed, and so is one that is damaged or that another version
    made: nobody knows what is in it, and the next indexing makes it anew.

    Returns:
        How many indexes there were.

    Raises:
        OSError: If the storage fails.
    """
    ids = np.array(job.documents.ids, dtype=np.int64)
    names = index_files.names_of(job.indexes)
    confirm = report.ask_to_publish
    for done, name in enumerate(names):
        report("erase", done, len(names))
        try:
            with index_files.building(job.indexes, name, _read, confirm) as directory:
                _keep(directory, ids, report)
        except (_IsEmpty, ModelCorrupt, PluginMismatch):
            index_files.remove(job.indexes, name, _read, confirm)
    report("erase", len(names), len(names))
    return {"num_indexes": len(names)}


class _IsEmpty(Exception):
    """Nothing would be left in an index."""


def _keep(directory: Path, ids: NDArray[np.int64], report: Supervision) -> None:
    is_of_tokens = isinstance(_read(directory), IndexManifest)
    keep = keep_documents if is_of_tokens else keep_embeddings
    if not keep(directory, ids, before_publication=report.ask_to_publish):
        raise _IsEmpty


def _read(directory: Path) -> GenerationManifest:
    """The manifest of whichever kind of index lies in a folder."""
    try:
        return IndexManifest.read(directory)
    except (ModelCorrupt, PluginMismatch):
        return EmbeddingManifest.read(directory)
