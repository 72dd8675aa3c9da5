"""What lies ready in an object store, uploaded under the name of an attempt."""

import uuid
from contextlib import AbstractContextManager
from errno import ENOENT
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Final

from lexiclass_core import layout
from lexiclass_core.file_systems import naming
from lexiclass_worker.artifacts.stored_objects import StoredObjects, manifests_last

STAGING: Final = layout.scratch_directory()
"""What was uploaded and is not published yet."""


class _StagingName:
    """Names what one attempt has staged for a place."""

    def __init__(self, target: PurePosixPath, attempt: int) -> None:
        self._place = sha256(str(target).encode()).hexdigest()[:32]
        self._attempt = attempt
        self.path = STAGING / f"{self._place}-{attempt}-{uuid.uuid4().hex}"

    def follows(self, name: str) -> bool:
        """Whether another name is of an earlier attempt at the same place."""
        place, _, rest = name.partition("-")
        attempt = rest.partition("-")[0]
        return place == self._place and attempt.isdecimal() and int(attempt) < self._attempt


class StagedObjects:
    """Published by copies inside the store, which take moments where an upload takes minutes.

    Args:
        target: Their place: a folder, or that of the one file.
        is_folder: Whether they are all that the folder is to hold.
    """

    def __init__(
        self,
        objects: StoredObjects,
        names: set[str],
        target: PurePosixPath,
        attempt: int,
        *,
        is_folder: bool,
    ) -> None:
        self._objects = objects
        self._names = names
        self._name = _StagingName(target if is_folder else target / next(iter(names)), attempt)
        self._target = target
        self._is_folder = is_folder

    @property
    def path(self) -> PurePosixPath:
        """The folder that they are uploaded to."""
        return self._name.path

    def reading(self) -> AbstractContextManager[Path]:
        return self._objects.fetched(self.path)

    def publish(self) -> None:
        self._revoke_earlier()
        self._replace_files()

    def withdraw(self) -> None:
        """See :class:`Staged`. What was replaced is gone; rows say that the rest does not count."""

    def close(self) -> None:
        self._objects.remove(self.path)

    def _revoke_earlier(self) -> None:
        """Remove what earlier attempts have staged for the same place.

        One of them that stalled in the midst of its copies, and goes on with them later, finds
        nothing to copy any more.
        """
        key = self._objects.key(STAGING)
        with naming(self._objects.locate(STAGING)):
            try:
                found = self._objects.fs.ls(key, detail=False, refresh=True)
            except FileNotFoundError:
                return
        names = {entry.rstrip("/").rpartition("/")[2] for entry in found}
        for name in sorted(filter(self._name.follows, names)):
            self._objects.remove(STAGING / name)

    def _replace_files(self) -> None:
        """Copy the files to their place inside the store, manifests last.

        Raises:
            FileNotFoundError: If a later attempt has published: it has removed the files before.
        """
        before = self._objects.names_in(self._target) if self._is_folder else set()
        # What an earlier attempt has published and this one has again is replaced, never removed:
        # a later one may have put its own there meanwhile. No row names the manifest of a folder
        # that holds some files of each.
        for name in manifests_last(self._names):
            with self._objects.writing(self._target / name) as key:
                self._objects.fs.cp_file(self._objects.key(self.path / name), key)
        old = before - self._names
        if old and not self._objects.names_in(self.path):
            raise FileNotFoundError(
                ENOENT, "a later attempt has published", self._objects.locate(self._target)
            )
        self._objects.remove_files(self._target, old)
