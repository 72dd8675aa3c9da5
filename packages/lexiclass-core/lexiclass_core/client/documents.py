"""Projects, documents and labels, as the client adds and corrects them: ``client.documents``."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core import documents, references
from lexiclass_core.client.blocking import Blocking, blocking
from lexiclass_core.client.texts import WithTexts
from lexiclass_core.documents import Counts, Label, NewDocument, SuspectLabel
from lexiclass_core.statuses import SuspectStatus

_TOGETHER = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedDocuments:
    """What adding documents came to.

    Attributes:
        document_ids: Their numbers, in the order in which they were given.
        counts: How many are new, and how many were changed.
    """

    document_ids: list[int]
    counts: Counts


class AsyncDocuments(WithTexts):
    """Adds and corrects what projects hold.

    Fields and documents are named by number or name: a document's is its id in its source. Every
    method raises UnresolvedName or DocumentError if what it names does not exist or cannot be, and
    DatabaseUnavailable if PostgreSQL cannot be reached; nothing is changed then.
    """

    async def create_project(self, name: str, description: str = "") -> int:
        """Make a project. Returns its number; names need not be unique."""
        async with self._transaction() as session:
            return await documents.create_project(session, name, description)

    async def create_field(self, project_id: int, name: str, classes: Sequence[str] = ()) -> int:
        """Make a field with classes, or those of them that are not there. Returns its number."""
        async with self._transaction() as session:
            field_id = await documents.create_field(session, project_id, name)
            await documents.create_classes(session, field_id, classes)
        return field_id

    async def add(self, project_id: int, added: Sequence[NewDocument]) -> AddedDocuments:
        """Add documents, or replace those the project has under the same ids: all of them or none.

        What is the same already stays as it is. Index the project for the changes to be in its
        index; predictions and trainings read new texts at once.

        Of a document without a text only the labels are told.

        Raises:
            StorageNotGiven: If the client was made without ``storage``.
            OSError: If the storage fails.
        """
        async with documents.adding(self._transaction, self._texts, project_id) as addition:
            for start in range(0, len(added), _TOGETHER):
                await addition.add(added[start : start + _TOGETHER])
        return AddedDocuments(document_ids=addition.documents, counts=addition.counts)

    async def find(self, project_id: int, names: Sequence[int | str]) -> list[int]:
        """The numbers of documents, in the order of their names."""
        async with self._transaction() as session:
            return await documents.find_documents(session, project_id, names)

    async def set_label(
        self,
        project_id: int,
        field: int | str,
        document: int | str,
        class_name: str,
        *,
        is_training_data: bool | None = None,
        new_class: bool = False,
    ) -> bool:
        """Say what the class of a document is. Returns whether that was not so already.

        ``is_training_data`` says whether to learn from the label or to test with it; None leaves a
        label that is there for what it is for, and makes training data of a new one. A class that
        the field does not have is made with ``new_class``, and refused without.
        """
        async with self._transaction() as session:
            field_id, number = await _find(session, project_id, field, document)
            if not new_class:
                await references.find_class(session, field_id, class_name)
            label = Label(class_name=class_name, is_training_data=is_training_data)
            return await documents.set_label(session, project_id, field_id, number, label)

    async def remove_label(self, project_id: int, field: int | str, document: int | str) -> bool:
        """Remove the label of a document in a field. Returns whether there was one."""
        async with self._transaction() as session:
            field_id, number = await _find(session, project_id, field, document)
            return await documents.remove_label(session, project_id, field_id, number)

    async def suspects(
        self,
        project_id: int,
        field: int | str,
        *,
        status: SuspectStatus | None = SuspectStatus.OPEN,
        limit: int = 50,
    ) -> list[SuspectLabel]:
        """Labels of a field that look wrong, the most suspect first; ``status`` None for all."""
        async with self._transaction() as session:
            field_id = await references.find_field(session, project_id, field)
            return await documents.list_suspects(
                session, project_id, field_id, status=status, limit=limit
            )

    async def judge_suspect(
        self, project_id: int, field: int | str, document: int | str, status: SuspectStatus
    ) -> bool:
        """Say that a label that looks wrong is right (``dismissed``), or wrong (``confirmed``).

        Returns whether it looks wrong; if not, nothing is changed. :meth:`set_label` corrects it.
        """
        async with self._transaction() as session:
            field_id, number = await _find(session, project_id, field, document)
            return await documents.judge_suspect(session, project_id, field_id, number, status)


async def _find(
    session: AsyncSession, project_id: int, field: int | str, document: int | str
) -> tuple[int, int]:
    field_id = await references.find_field(session, project_id, field)
    (number,) = await documents.find_documents(session, project_id, [document])
    return field_id, number


class Documents(Blocking[AsyncDocuments]):
    """:class:`AsyncDocuments` for code without an event loop."""

    create_project = blocking(AsyncDocuments.create_project)
    create_field = blocking(AsyncDocuments.create_field)
    add = blocking(AsyncDocuments.add)
    find = blocking(AsyncDocuments.find)
    set_label = blocking(AsyncDocuments.set_label)
    remove_label = blocking(AsyncDocuments.remove_label)
    suspects = blocking(AsyncDocuments.suspects)
    judge_suspect = blocking(AsyncDocuments.judge_suspect)
