"""Taking documents out of all indexes of a project, in the sandbox."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lexiclass import ModelCorrupt, PluginMismatch
from lexiclass.index.erasure import keep_documents
from lexiclass.index.kinds import read_manifest
from lexiclass_worker.jobs.indexing import EraseJob
from lexiclass_worker.jobs.supervision import Supervision
from lexiclass_worker.ml import index_files
from lexiclass_worker.ml.index_files import Building


def erase_from_indexes(job: EraseJob, report: Supervision) -> dict[str, Any]:
    """Keep the documents there are in every index, and no trace of any other.

    An index that would be empty is removed, and so is one that is damaged, that another version
    made or that was not published here: nobody knows what is in it, and the next indexing makes it
    anew.

    Returns:
        How many indexes there were, and the digest of the manifest of each that is left.

    Raises:
        OSError: If the storage fails.
    """
    ids = np.array(job.documents.ids, dtype=np.int64)
    names = index_files.names_of(job.indexes)
    confirm = report.ask_to_publish
    for done, name in enumerate(names):
        report("erase", done, len(names))
        try:
            with index_files.building(job.indexes, name, read_manifest, confirm) as building:
                _keep(building, ids, report)
        except (_IsEmpty, ModelCorrupt, PluginMismatch):
            index_files.remove(job.indexes, name, confirm)
    report("erase", len(names), len(names))
    left = {name: index_files.stored_digest(job.indexes, name) for name in names}
    return {"num_indexes": len(names), "digests": left}


class _IsEmpty(Exception):
    """Nothing would be left in an index."""


def _keep(building: Building, ids: NDArray[np.int64], report: Supervision) -> None:
    directory, announce = building
    ask = report.ask_to_publish
    if not keep_documents(directory, ids, before_publication=ask, announce=announce):
        raise _IsEmpty
