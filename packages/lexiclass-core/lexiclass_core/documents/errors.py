"""Errors of documents.

::

    DocumentError
    ├── ProjectNotFound
    ├── FieldNotFound
    ├── DocumentNotFound
    └── InvalidDocument      cannot be stored, or is given twice
"""


class DocumentError(Exception):
    """Base of what can be wrong with documents; the message says what to do."""


class ProjectNotFound(DocumentError):
    """The project does not exist."""

    def __init__(self, project_id: int) -> None:
        super().__init__(f"project {project_id} does not exist")
        self.project_id = project_id


class FieldNotFound(DocumentError):
    """The project has no such field."""


class DocumentNotFound(DocumentError):
    """The project has no such document."""


class InvalidDocument(DocumentError, ValueError):
    """A document or a label that cannot be stored, or is given twice; nothing was written."""
