"""What a service is given to work with."""

from dataclasses import dataclass, field

from lexiclass_core.db import SessionFactory
from lexiclass_worker.config import Settings
from lexiclass_worker.storage import Storage
from lexiclass_worker.tasks.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskContext:
    """One task's surroundings. A script or a notebook can make its own and call a service.

    Attributes:
        message_id: Names the task; what it writes is keyed by it, so that a second run of the same
            message changes nothing.
        settings: The worker's settings.
        sessions: Makes database sessions; hold one for short transactions only.
        storage: Documents, indexes, models and predictions.
        progress: Where the service tells how far it is.
    """

    message_id: str
    settings: Settings
    sessions: SessionFactory
    storage: Storage
    progress: Progress = field(default_factory=Progress)
