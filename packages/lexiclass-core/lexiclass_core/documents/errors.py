"""Errors of documents.

::

    DocumentError
    ├── ProjectNotFound
    ├── FieldNotFound
    ├── DocumentNotFound
    ├── InvalidDocument      cannot be stored, or is given twice
    └── ForeignStorage       the texts would go where those of another database are
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


class ForeignStorage(DocumentError):
    """The storage belongs to another database."""


class InvalidDocument(DocumentError, ValueError):
    """A document or a label that cannot be stored, or is given twice; nothing was written."""
