"""Documents, indexes, models and histories, on a disk or in an object store.

A :class:`~lexiclass_worker.artifacts.storage.Storage` is synchronous: services call it through
``asyncio.to_thread``. Paths are those of :mod:`lexiclass_core.layout`, relative to
STORAGE__BASE_PATH.

===================  ===========================================================================
module               holds
===================  ===========================================================================
storage, opening     what services ask of a storage; which one it is
local, staged_files  a directory, where what is published is renamed
object_store         an object store, where it is copied: stored_objects are its files, and
                     staged_objects what is not published yet
project_objects      what one job may have of an object store (stored_project asks it); children
                     have it from their worker, by gateway and asking_project
copies               this machine's copies of what an object store has: of models (kept_copies)
                     and of indexes (index_copies, whose files are generations)
===================  ===========================================================================
"""
