"""The statuses of rows. Apart from the tables, which need SQLAlchemy, for command lines."""

from enum import StrEnum


class ProjectStatus(StrEnum):
    """Whether a project is in use."""

    ACTIVE = "active"
    ARCHIVED = "archived"


class IndexStatus(StrEnum):
    """How far a document is indexed."""

    PENDING = "pending"
    INDEXED = "indexed"
    FAILED = "failed"


class ProjectIndexStatus(StrEnum):
    """How far a project is indexed: indexed once any document is, whatever failed since."""

    PENDING = "pending"
    INDEXING = "indexing"
    INDEXED = "indexed"
    FAILED = "failed"


class ProjectModelStatus(StrEnum):
    """Whether a project has models: ready once any field has one, whatever failed since."""

    PENDING = "pending"
    TRAINING = "training"
    READY = "ready"
    FAILED = "failed"


class ModelStatus(StrEnum):
    """The life of a model version."""

    TRAINING = "training"
    READY = "ready"
    FAILED = "failed"


class ServingRule(StrEnum):
    """What serves a field of which no version is promoted: the newest that is ready, or none."""

    NEWEST = "newest"
    PROMOTED = "promoted"


class ModelAction(StrEnum):
    """What can become of a model version once it is ready.

    ``refused`` is by the gates of its field, which it was to be promoted through. ``rule_changed``
    is of its field: whether the newest version serves by itself. So is ``gates_changed``.
    """

    TRAINED = "trained"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    RETIRED = "retired"
    REINSTATED = "reinstated"
    PRUNED = "pruned"
    RULE_CHANGED = "rule_changed"
    REFUSED = "refused"
    GATES_CHANGED = "gates_changed"


class SuspectStatus(StrEnum):
    """What became of a label that looks wrong.

    ``confirmed``: somebody says that it is wrong, and it is not changed yet. ``corrected``: it was
    changed. ``dismissed``: somebody says that it is right; it is not suspected again.
    """

    OPEN = "open"
    CONFIRMED = "confirmed"
    CORRECTED = "corrected"
    DISMISSED = "dismissed"


class TaskStatus(StrEnum):
    """The life of a task. ``succeeded``, ``failed`` and ``cancelled`` are final."""

    PENDING = "pending"
    STARTED = "started"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether a task in this status never changes again."""
        return self in FINAL_TASK_STATUSES


FINAL_TASK_STATUSES = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED})


class TaskEventKind(StrEnum):
    """What can happen to a task.

    ``lapsed``: its worker died, stalled or lost the database in an attempt, and another begins.
    ``released``: a shutdown handed it back. ``deferred``: it waits for others. ``divided``: it
    waits for its chunks. Neither of these, nor a ``retrying`` whose work was not begun, counts as
    an attempt.
    """

    STARTED = "started"
    LAPSED = "lapsed"
    RELEASED = "released"
    DEFERRED = "deferred"
    DIVIDED = "divided"
    RETRYING = "retrying"
    CANCEL_REQUESTED = "cancel_requested"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Hindrance(StrEnum):
    """Why no worker takes the tasks of a queue."""

    PAUSED = "paused"
    NO_WORKER = "no_worker"


class Role(StrEnum):
    """What somebody may do in the console; each role may all that those before it may.

    ``viewer``: look. ``operator``: submit, cancel and run tasks again, pause queues, choose what
    serves. ``admin``: what cannot be taken back.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, needed: "Role") -> bool:
        """Whether it is the role that is needed, or one above it."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
