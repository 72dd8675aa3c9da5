"""The task client: what an API uses to submit work and to follow it.

::

    with TaskClient(database_uri=..., broker_url="redis://localhost:6379/0") as client:
        task = client.train(project_id=7, field_id=3, idempotency_key="button-4711")
        print(client.wait(task.id).result)

:class:`AsyncTaskClient` is the same with ``await``. Sending needs the ``client`` extra.
"""

from lexiclass_core.client.asynchronous import AsyncTaskClient
from lexiclass_core.client.dead_letters import AsyncDeadLetters, DeadLetters
from lexiclass_core.client.dead_tasks import DeadLetterSelection, DeadTask, Handled
from lexiclass_core.client.documents import AddedDocuments, AsyncDocuments, Documents
from lexiclass_core.client.errors import (
    BrokerUnavailable,
    ClientClosed,
    DatabaseUnavailable,
    StorageNotGiven,
    TaskFailed,
    TaskNotFinished,
)
from lexiclass_core.client.handles import AsyncTaskHandle, TaskHandle
from lexiclass_core.client.model_versions import AsyncModels, Models
from lexiclass_core.client.queues import AsyncQueues, Queues
from lexiclass_core.client.snapshot import TaskPage, TaskSnapshot
from lexiclass_core.client.synchronous import TaskClient
from lexiclass_core.client.texts import open_texts
from lexiclass_core.client.version_snapshots import ModelVersion, Serving, VersionEvent
from lexiclass_core.documents import Counts, DocumentError, Label, NewDocument
from lexiclass_core.events import TaskEvent
from lexiclass_core.references import NameAmbiguous, NameNotFound, UnresolvedName
from lexiclass_core.statuses import Hindrance, ServingRule, TaskEventKind
from lexiclass_core.tasks.errors import (
    IdempotencyConflict,
    InvalidTask,
    TaskClientError,
    TaskFinished,
    TaskNotFound,
)
from lexiclass_core.tasks.history import TaskHistoryEntry
from lexiclass_core.versions import (
    Change,
    ChangeRefused,
    Regression,
    RuleChange,
    VersionError,
    VersionNotFound,
)
from lexiclass_core.workers import RunningTask, WorkerSnapshot

__all__ = [
    "AddedDocuments",
    "AsyncDeadLetters",
    "AsyncDocuments",
    "AsyncModels",
    "AsyncQueues",
    "AsyncTaskClient",
    "AsyncTaskHandle",
    "BrokerUnavailable",
    "Change",
    "ChangeRefused",
    "ClientClosed",
    "Counts",
    "DatabaseUnavailable",
    "DeadLetterSelection",
    "DeadLetters",
    "DeadTask",
    "DocumentError",
    "Documents",
    "Handled",
    "Hindrance",
    "IdempotencyConflict",
    "InvalidTask",
    "Label",
    "ModelVersion",
    "Models",
    "NameAmbiguous",
    "NameNotFound",
    "NewDocument",
    "Queues",
    "Regression",
    "RuleChange",
    "RunningTask",
    "Serving",
    "ServingRule",
    "StorageNotGiven",
    "TaskClient",
    "TaskClientError",
    "TaskEvent",
    "TaskEventKind",
    "TaskFailed",
    "TaskFinished",
    "TaskHandle",
    "TaskHistoryEntry",
    "TaskNotFinished",
    "TaskNotFound",
    "TaskPage",
    "TaskSnapshot",
    "UnresolvedName",
    "VersionError",
    "VersionEvent",
    "VersionNotFound",
    "WorkerSnapshot",
    "open_texts",
]
