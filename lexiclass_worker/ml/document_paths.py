"""Where a project's documents lie, as rows and messages say it."""

from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from lexiclass_core import layout
from lexiclass_worker.jobs.document_refs import DocumentRef
from lexiclass_worker.jobs.inputs import ProjectDocuments

DocumentPath = tuple[str, str]
"""A folder, relative to the storage's root, and a name in it; an empty name is of nothing."""

NOWHERE: Final[DocumentPath] = ("", "")
"""What leaves the project's storage."""


class DocumentPaths:
    """Finds the place of each document.

    Many documents lie in few folders, and taking a path apart costs more than to read a short text:
    the last folders are remembered.
    """

    def __init__(self, source: ProjectDocuments) -> None:
        self._project_id = source.project_id
        self._root = source.root
        self._is_named = source.folder is not None
        self._folder = source.folder or str(layout.documents_directory(source.project_id))
        self._locate = lru_cache(1024)(self._folder_in_project)

    def of(self, document: DocumentRef) -> DocumentPath:
        """Where a document is: where its row says, or at the usual place.

        A message that names a folder has all documents there.
        """
        document_id, content_path = document
        if self._is_named or not content_path:
            return self.usual(document_id)
        folder, _, name = content_path.rpartition("/")
        try:
            if _is_plain(name) and (found := self._locate(folder)) is not None:
                return found, name
            path = self._inside_project(content_path)
        except layout.PathOutsideProjectError:
            return NOWHERE
        return str(path.parent), path.name

    def usual(self, document_id: int) -> DocumentPath:
        """Where a document is if nothing else is said."""
        return self._folder, layout.document_file_name(document_id)

    def _folder_in_project(self, folder: str) -> str | None:
        """A folder of this project.

        None for the storage's root, in which the name of a file says whose it is.
        """
        if not PurePosixPath(folder.removeprefix(self._root).lstrip("/")).parts:
            return None
        return str(self._inside_project(f"{folder}/_").parent)

    def _inside_project(self, path: str) -> PurePosixPath:
        return layout.inside_project(self._project_id, path, base_path=self._root)


def _is_plain(name: str) -> bool:
    """Whether the last part of a path is a name, which leads nowhere else."""
    return name not in {"", ".", ".."} and "\\" not in name and "\0" not in name
