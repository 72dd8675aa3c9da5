"""The documents of a project, their texts and their labels: adding, replacing, correcting, finding.

What is added under an id that the project has already is that document: another text replaces its
text, another label its label, and the same changes nothing. Texts are files and rows are
PostgreSQL's, so :func:`adding` keeps them together: all is there after the transaction, or none.

Deleting documents and projects is a worker's task (:class:`~lexiclass_core.schemas.EraseDocuments`,
:class:`~lexiclass_core.schemas.DeleteProject`), for only workers come to the indexes.
"""

from lexiclass_core.documents.adding import adding, adding_in
from lexiclass_core.documents.addition import Addition, Counts
from lexiclass_core.documents.errors import (
    DocumentError,
    DocumentNotFound,
    FieldNotFound,
    ForeignStorage,
    InvalidDocument,
    ProjectNotFound,
)
from lexiclass_core.documents.fields import (
    create_classes,
    create_field,
    create_project,
    wait_for_additions,
)
from lexiclass_core.documents.finding import find_documents
from lexiclass_core.documents.labels import remove_label, set_label
from lexiclass_core.documents.settling import settle, unsettled
from lexiclass_core.documents.suspects import (
    SuspectLabel,
    judge_suspect,
    list_suspects,
)
from lexiclass_core.documents.texts import TextStore
from lexiclass_core.documents.values import Label, NewDocument

__all__ = [
    "Addition",
    "Counts",
    "DocumentError",
    "DocumentNotFound",
    "FieldNotFound",
    "ForeignStorage",
    "InvalidDocument",
    "Label",
    "NewDocument",
    "ProjectNotFound",
    "SuspectLabel",
    "TextStore",
    "adding",
    "adding_in",
    "create_classes",
    "create_field",
    "create_project",
    "find_documents",
    "judge_suspect",
    "list_suspects",
    "remove_label",
    "set_label",
    "settle",
    "unsettled",
    "wait_for_additions",
]
