"""Submitting requests: the same with and without an event loop."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar, Unpack

from lexiclass_core.client.arguments import (
    DescribeArguments,
    EvaluateArguments,
    IndexArguments,
    PredictArguments,
    TrainArguments,
)
from lexiclass_core.schemas import (
    DeleteProject,
    DescribeDocument,
    EraseDocuments,
    EvaluateFieldModel,
    IndexDocuments,
    PredictFieldDocuments,
    Request,
    TrainFieldModel,
)
from lexiclass_core.tasks.submission import SubmitOptions, split

SessionT = TypeVar("SessionT")
SubmittedT = TypeVar("SubmittedT")


class SubmitsRequests(ABC, Generic[SessionT, SubmittedT]):
    """Methods for the requests there are. Each gives the task, or what to await for it."""

    @abstractmethod
    def submit(
        self,
        request: Request,
        *,
        session: SessionT | None = None,
        **options: Unpack[SubmitOptions],
    ) -> SubmittedT:
        """Write the task's row, then send its message.

        If Redis cannot be reached the task waits in its row, and the workers' reconciler sends it
        once Redis is back. If PostgreSQL goes away in the midst of it, nobody knows whether there
        is a task: with an idempotency key, submitting again is safe.

        Args:
            request: What to do, such as :class:`~lexiclass_core.schemas.TrainFieldModel`.
            session: A session of the caller's: the row is written in its transaction, and is there
                if, and only if, what else the caller writes is. The message follows the commit;
                if the process ends before, the workers' reconciler sends it.
            **options: See :class:`~lexiclass_core.tasks.submission.SubmitOptions`.

        Returns:
            The pending task, or the one that has the idempotency key already.

        Raises:
            InvalidTask: If the request holds what cannot be stored, or an option is wrong.
            IdempotencyConflict: If the key belongs to a task with another request.
        """

    def index(
        self,
        project_id: int,
        *,
        options: SubmitOptions | None = None,
        session: SessionT | None = None,
        **arguments: Unpack[IndexArguments],
    ) -> SubmittedT:
        """Submit the indexing of a project's documents. See :meth:`submit`."""
        return self._split(IndexDocuments, arguments, options, session, project_id=project_id)

    def train(
        self,
        project_id: int,
        field_id: int,
        *,
        options: SubmitOptions | None = None,
        session: SessionT | None = None,
        **arguments: Unpack[TrainArguments],
    ) -> SubmittedT:
        """Submit the training of a field's next model version. See :meth:`submit`."""
        ids = {"project_id": project_id, "field_id": field_id}
        return self._split(TrainFieldModel, arguments, options, session, **ids)

    def predict(
        self,
        project_id: int,
        field_id: int,
        document_ids: Sequence[int] | None,
        *,
        options: SubmitOptions | None = None,
        session: SessionT | None = None,
        **arguments: Unpack[PredictArguments],
    ) -> SubmittedT:
        """Submit the prediction of some documents, or of all with None. See :meth:`submit`."""
        return self._split(
            PredictFieldDocuments,
            arguments,
            options,
            session,
            project_id=project_id,
            field_id=field_id,
            document_ids=None if document_ids is None else list(document_ids),
        )

    def evaluate(
        self,
        project_id: int,
        field_id: int,
        *,
        options: SubmitOptions | None = None,
        session: SessionT | None = None,
        **arguments: Unpack[EvaluateArguments],
    ) -> SubmittedT:
        """Submit the evaluation of a model on the field's test labels. See :meth:`submit`."""
        ids = {"project_id": project_id, "field_id": field_id}
        return self._split(EvaluateFieldModel, arguments, options, session, **ids)

    def describe_document(
        self,
        project_id: int,
        document_id: int,
        *,
        options: SubmitOptions | None = None,
        session: SessionT | None = None,
        **arguments: Unpack[DescribeArguments],
    ) -> SubmittedT:
        """Submit the look-up of what files tell of a document: what is like it. See :meth:`submit`.

        Its result has what each version has predicted of it, too.
        """
        ids = {"project_id": project_id, "document_id": document_id}
        return self._split(DescribeDocument, arguments, options, session, **ids)

    def delete_documents(
        self,
        project_id: int,
        document_ids: Sequence[int],
        *,
        remove_models: bool = False,
        **options: Unpack[SubmitOptions],
    ) -> SubmittedT:
        """Submit the erasure of documents and of what is known of them. See :meth:`submit`.

        Args:
            project_id: The project.
            document_ids: Which of its documents; :attr:`documents` finds them by the ids of their
                source.
            remove_models: Also retire and remove the model versions that may hold words of them.
            **options: See :class:`~lexiclass_core.tasks.submission.SubmitOptions`.
        """
        required = {"document_ids": list(document_ids), "remove_models": remove_models}
        return self._split(EraseDocuments, {}, options, None, project_id=project_id, **required)

    def delete_project(self, project_id: int, **options: Unpack[SubmitOptions]) -> SubmittedT:
        """Submit the deletion of a project with all it has. See :meth:`submit`."""
        return self._split(DeleteProject, {}, options, None, project_id=project_id)

    def _split(
        self,
        schema: type[Request],
        arguments: Mapping[str, object],
        options: SubmitOptions | None,
        session: SessionT | None,
        **required: object,
    ) -> SubmittedT:
        request, submitted = split(schema, arguments, options, **required)
        return self.submit(request, session=session, **submitted)
