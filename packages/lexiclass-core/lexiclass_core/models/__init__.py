"""The tables, as SQLAlchemy models.

Whatever an INSERT leaves out has a server default, so that SQL written by others works against
them; ``updated_at`` is kept by a trigger for the same reason. Statuses are lower-case text under
a CHECK constraint: a new status needs a migration of one line, not of a type. Whoever has the
tables has the statuses.
"""

from lexiclass_core.models.access import AccessToken, AuditEvent
from lexiclass_core.models.base import Base
from lexiclass_core.models.documents import (
    LONGEST_EXTERNAL_ID,
    Document,
    DocumentLabel,
    Field,
    FieldClass,
    LabelSuspect,
)
from lexiclass_core.models.installation import Backup, Installation, SchemaSupport
from lexiclass_core.models.projects import Project, ProjectIndex, ProjectRemoval
from lexiclass_core.models.tasks import QueuePause, Task, TaskHistory, TaskLimit
from lexiclass_core.models.versions import Model, ModelEvent, Prediction
from lexiclass_core.models.workers import PluginCatalog, Worker
from lexiclass_core.statuses import (
    FINAL_TASK_STATUSES,
    IndexStatus,
    ModelAction,
    ModelStatus,
    ProjectIndexStatus,
    ProjectModelStatus,
    ProjectStatus,
    Role,
    ServingRule,
    SuspectStatus,
    TaskEventKind,
    TaskStatus,
)

__all__ = [
    "FINAL_TASK_STATUSES",
    "LONGEST_EXTERNAL_ID",
    "AccessToken",
    "AuditEvent",
    "Backup",
    "Base",
    "Document",
    "DocumentLabel",
    "Field",
    "FieldClass",
    "IndexStatus",
    "Installation",
    "LabelSuspect",
    "Model",
    "ModelAction",
    "ModelEvent",
    "ModelStatus",
    "PluginCatalog",
    "Prediction",
    "Project",
    "ProjectIndex",
    "ProjectIndexStatus",
    "ProjectModelStatus",
    "ProjectRemoval",
    "ProjectStatus",
    "QueuePause",
    "Role",
    "SchemaSupport",
    "ServingRule",
    "SuspectStatus",
    "Task",
    "TaskEventKind",
    "TaskHistory",
    "TaskLimit",
    "TaskStatus",
    "Worker",
]
