"""The tables, as SQLAlchemy models.

Whatever an INSERT leaves out has a server default, so that SQL written by others works against
them; ``updated_at`` is kept by a trigger for the same reason. Statuses are lower-case text under
a CHECK constraint: a new status needs a migration of one line, not of a type.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from lexiclass_core.db.json_objects import JSONObject

# Exported: whoever has the tables has the statuses.
from lexiclass_core.statuses import FINAL_TASK_STATUSES as FINAL_TASK_STATUSES
from lexiclass_core.statuses import IndexStatus as IndexStatus
from lexiclass_core.statuses import ModelAction as ModelAction
from lexiclass_core.statuses import ModelStatus as ModelStatus
from lexiclass_core.statuses import ProjectIndexStatus as ProjectIndexStatus
from lexiclass_core.statuses import ProjectModelStatus as ProjectModelStatus
from lexiclass_core.statuses import ProjectStatus as ProjectStatus
from lexiclass_core.statuses import Role as Role
from lexiclass_core.statuses import ServingRule as ServingRule
from lexiclass_core.statuses import SuspectStatus as SuspectStatus
from lexiclass_core.statuses import TaskEventKind as TaskEventKind
from lexiclass_core.statuses import TaskStatus as TaskStatus

LONGEST_EXTERNAL_ID: Final = 500
"""Characters of ``document.external_id``: what fits into an index of PostgreSQL."""


def _one_of(column: str, statuses: type[StrEnum]) -> CheckConstraint:
    values = ", ".join(f"'{status}'" for status in statuses)
    return CheckConstraint(f"{column} IN ({values})", name=column)


class Base(DeclarativeBase):
    """Base of the models: naming of constraints, and which Python type is which column."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        float: Double,
        bool: Boolean,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
    }

    # BY DEFAULT, not ALWAYS: a bulk import reserves ids and copies rows that carry them.
    id: Mapped[int] = mapped_column(Identity(always=False), primary_key=True, sort_order=-1)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=100)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=101)


class Project(Base):
    """Documents that are classified together, and the fields they are classified by.

    ``takes_unknown_indexes`` is true of a project from before :class:`ProjectIndex`, until it is
    indexed: what it has of indexes is used without being known. ``build_key`` is a secret that who
    can write to the storage does not know: what a build of an index leaves there is signed with it.
    """

    __tablename__ = "project"

    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(server_default="")
    status: Mapped[str] = mapped_column(server_default=ProjectStatus.ACTIVE)
    config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    index_status: Mapped[str] = mapped_column(server_default=ProjectIndexStatus.PENDING)
    model_status: Mapped[str] = mapped_column(server_default=ProjectModelStatus.PENDING)
    last_indexed_at: Mapped[datetime | None]
    last_trained_at: Mapped[datetime | None]
    takes_unknown_indexes: Mapped[bool] = mapped_column(server_default=text("false"))
    build_key: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())

    __table_args__ = (
        _one_of("status", ProjectStatus),
        _one_of("index_status", ProjectIndexStatus),
        _one_of("model_status", ProjectModelStatus),
    )


class ProjectIndex(Base):
    """An index of a project, by the name of its folder.

    Attributes:
        manifests: SHA-256 of each manifest that it may have, with its signature or null: of the one
            that was published last, and beside it of the one that is being published.
    """

    __tablename__ = "project_index"

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    name: Mapped[str]
    manifests: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (UniqueConstraint("project_id", "name"),)


class Document(Base):
    """A text. ``content_path`` is null for the usual place, {project_id}/documents/{id}.txt.

    ``external_id`` names it within its project as its source does: what is imported under the same
    one again is this document. Null of a document that others have inserted without.
    """

    __tablename__ = "document"

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    content_path: Mapped[str | None]
    # `metadata` is taken on declarative classes; the column has the name of the contract.
    metadata_: Mapped[dict[str, Any]] = mapped_column(
        "metadata", server_default=text("'{}'::jsonb")
    )
    index_status: Mapped[str] = mapped_column(server_default=IndexStatus.PENDING)
    external_id: Mapped[str | None]

    __table_args__ = (
        Index(None, "project_id", "id"),
        Index(
            "uq_document_project_id_external_id",
            "project_id",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        # Its migration collates it by code points ("C"), which is no part of what is compared here:
        # what begins with a text lies together, whatever the database's collation.
        Index(
            "ix_document_project_id_external_id_c",
            "project_id",
            "external_id",
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        _one_of("index_status", IndexStatus),
        CheckConstraint(
            f"char_length(external_id) BETWEEN 1 AND {LONGEST_EXTERNAL_ID}",
            name="external_id_length",
        ),
    )


class Field(Base):
    """A question asked of every document of a project, answered by one of its classes.

    ``serve`` says what serves it while no version is promoted; see :class:`ServingRule`. ``config``
    says what a version must show before it is promoted: a
    :class:`~lexiclass_core.versions.FieldConfig`.
    """

    __tablename__ = "field"

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id", ondelete="CASCADE"))
    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(server_default="")
    serve: Mapped[str] = mapped_column(server_default=ServingRule.NEWEST)
    config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        _one_of("serve", ServingRule),
        CheckConstraint("jsonb_typeof(config) = 'object'", name="config_is_object"),
        CheckConstraint("octet_length(config::text) <= 10000", name="config_is_small"),
    )


class FieldClass(Base):
    """One possible answer to a field."""

    __tablename__ = "field_class"

    field_id: Mapped[int] = mapped_column(ForeignKey("field.id", ondelete="CASCADE"))
    name: Mapped[str]

    __table_args__ = (
        UniqueConstraint("field_id", "name"),
        # What the composite foreign keys below refer to: a class of this very field.
        UniqueConstraint("field_id", "id"),
    )


class DocumentLabel(Base):
    """The true class of a document: training data, or test data for evaluation.

    A trigger refuses one that joins a document and a field of different projects.
    """

    __tablename__ = "document_label"

    document_id: Mapped[int] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"))
    field_id: Mapped[int]
    class_id: Mapped[int]
    is_training_data: Mapped[bool] = mapped_column(server_default=text("true"))

    __table_args__ = (
        UniqueConstraint("document_id", "field_id"),
        ForeignKeyConstraint(
            ["field_id", "class_id"],
            ["field_class.field_id", "field_class.id"],
            ondelete="CASCADE",
        ),
        Index(None, "field_id", "is_training_data", "document_id"),
        Index(None, "class_id", "document_id"),
    )


class LabelSuspect(Base):
    """A label that looks wrong: found by a training, among the documents it was trained on.

    It is of a label that is there, so that document and field are of one project, and goes with it.
    A trigger makes it ``corrected`` when the label gets another class, whoever changes it.

    Attributes:
        class_id: Of the label as it was found.
        suggested_class_id: The class that fits better.
        score: How suspect it is, in [0, 1].
        reason: ``found_by``, a list of ``confident_learning``, ``equal_text`` and
            ``near_duplicate``; ``label_probability`` and ``suggested_probability``, from a
            classifier that had not seen the document, or null; ``num_neighbours``; ``terms`` of
            the document that speak for the ``given`` class and for the ``suggested`` one, where
            the model can tell.
        neighbours: Some of the documents that are alike and have another label.
        model_version: Whose training found it.
    """

    __tablename__ = "label_suspect"

    document_id: Mapped[int]
    field_id: Mapped[int]
    class_id: Mapped[int]
    suggested_class_id: Mapped[int]
    score: Mapped[float]
    reason: Mapped[dict[str, Any]] = mapped_column(
        JSONObject(none_as_null=True), server_default=text("'{}'::jsonb")
    )
    neighbours: Mapped[list[int]] = mapped_column(ARRAY(BigInteger), server_default=text("'{}'"))
    model_version: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(server_default=SuspectStatus.OPEN)

    __table_args__ = (
        UniqueConstraint("document_id", "field_id", "class_id"),
        ForeignKeyConstraint(
            ["document_id", "field_id"],
            ["document_label.document_id", "document_label.field_id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["field_id", "class_id"],
            ["field_class.field_id", "field_class.id"],
            ondelete="CASCADE",
        ),
        ForeignKeyConstraint(
            ["field_id", "suggested_class_id"],
            ["field_class.field_id", "field_class.id"],
            name="fk_label_suspect_field_id_suggested",
            ondelete="CASCADE",
        ),
        Index(None, "field_id", "status", "score"),
        Index(None, "class_id"),
        Index(None, "suggested_class_id"),
        _one_of("status", SuspectStatus),
        CheckConstraint("score >= 0 AND score <= 1", name="score_is_share"),
    )


class Model(Base):
    """A trained version of a field's model. ``message_id`` names the message that trained it.

    One message makes one version, however often it is delivered. ``manifest`` is what the files
    said of themselves when they were verified, and the digest by which they are known again;
    ``test_errors`` are the documents that its latest evaluation found wrong, beside them what they
    are and what was predicted. :mod:`lexiclass_core.versions` has what becomes of a version that is
    ready, and which one of a field serves.
    """

    __tablename__ = "model"

    field_id: Mapped[int] = mapped_column(ForeignKey("field.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(server_default=ModelStatus.TRAINING)
    accuracy: Mapped[float | None]
    metrics: Mapped[dict[str, Any]] = mapped_column(
        JSONObject(none_as_null=True), server_default=text("'{}'::jsonb")
    )
    manifest: Mapped[dict[str, Any]] = mapped_column(
        JSONObject(none_as_null=True), server_default=text("'{}'::jsonb")
    )
    trained_at: Mapped[datetime | None]
    promoted_at: Mapped[datetime | None]
    retired_at: Mapped[datetime | None]
    pruned_at: Mapped[datetime | None]
    files_removed_at: Mapped[datetime | None]
    message_id: Mapped[str | None]
    # Long where a model is bad: read by whoever compares versions only.
    test_errors: Mapped[list[int] | None] = mapped_column(
        ARRAY(BigInteger), deferred=True, deferred_group="test_errors"
    )
    test_error_labels: Mapped[list[str] | None] = mapped_column(
        ARRAY(Text), deferred=True, deferred_group="test_errors"
    )
    test_error_predictions: Mapped[list[str] | None] = mapped_column(
        ARRAY(Text), deferred=True, deferred_group="test_errors"
    )

    __table_args__ = (
        UniqueConstraint("field_id", "version"),
        UniqueConstraint("message_id"),
        Index(
            "uq_model_field_id_promoted",
            "field_id",
            unique=True,
            postgresql_where=text("promoted_at IS NOT NULL"),
        ),
        _one_of("status", ModelStatus),
        CheckConstraint("version > 0", name="version_positive"),
        CheckConstraint(
            "promoted_at IS NULL OR (status = 'ready' AND retired_at IS NULL)",
            name="promoted_is_usable",
        ),
        CheckConstraint(
            "pruned_at IS NULL OR status <> 'ready' OR retired_at IS NOT NULL",
            name="pruned_is_out_of_use",
        ),
        CheckConstraint(
            "files_removed_at IS NULL OR pruned_at IS NOT NULL", name="only_pruned_loses_files"
        ),
    )

    @property
    def is_usable(self) -> bool:
        """Whether predictions may use it."""
        return self.status == ModelStatus.READY and self.retired_at is None

    @property
    def training_digest(self) -> str | None:
        """SHA-256 of the training set: equal for equal texts and labels, in whatever order."""
        return self.manifest.get("training_digest")

    @property
    def manifest_digest(self) -> str | None:
        """SHA-256 of the files' manifest; None of a version from before it was kept."""
        return self.manifest.get("manifest_digest")

    @property
    def signature(self) -> str | None:
        """Signature of that digest; None where versions were not signed."""
        return self.manifest.get("signature")


class ModelEvent(Base):
    """What was done with a model version: when, by whom and why.

    ``created_at`` says when. ``details`` has what else there is to know: ``from`` and ``to``, the
    versions that were promoted before and after, and the verdicts of gates.
    """

    __tablename__ = "model_event"

    field_id: Mapped[int]
    version: Mapped[int] = mapped_column(Integer)
    action: Mapped[str]
    done_by: Mapped[str] = mapped_column(server_default="")
    reason: Mapped[str] = mapped_column(server_default="")
    training_digest: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column(
        JSONObject(none_as_null=True), server_default=text("'{}'::jsonb")
    )

    __table_args__ = (
        ForeignKeyConstraint(
            ["field_id", "version"], ["model.field_id", "model.version"], ondelete="CASCADE"
        ),
        Index(None, "field_id", "id"),
        _one_of("action", ModelAction),
    )


class Prediction(Base):
    """The latest prediction of a document's class. ``confidence`` is a calibrated probability.

    Of two tasks that predict one document, that which began later counts, whichever writes last:
    ``predicted_at`` is when it began. ``is_accepted`` says whether it may count without a look, and
    is null where its task did not ask.
    """

    __tablename__ = "prediction"

    document_id: Mapped[int] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"))
    field_id: Mapped[int]
    class_id: Mapped[int]
    model_version: Mapped[int] = mapped_column(Integer)
    confidence: Mapped[float]
    predicted_at: Mapped[datetime] = mapped_column(server_default=func.now())
    is_accepted: Mapped[bool | None]
    metadata_: Mapped[dict[str, Any]] = mapped_column(
        "metadata", server_default=text("'{}'::jsonb")
    )

    __table_args__ = (
        UniqueConstraint("document_id", "field_id"),
        ForeignKeyConstraint(
            ["field_id", "class_id"],
            ["field_class.field_id", "field_class.id"],
            ondelete="CASCADE",
        ),
        Index(None, "field_id", "class_id"),
        # The order in which predictions are reviewed.
        Index(
            "ix_prediction_to_review",
            "field_id",
            text("(metadata @> '{\"unfamiliar\": true}'::jsonb)"),
            "confidence",
            "document_id",
            postgresql_where=text("is_accepted IS FALSE"),
        ),
        CheckConstraint("confidence >= 0 AND confidence <= 1", name="confidence_is_probability"),
    )


class Task(Base):
    """What became of a message.

    ``project_id`` is no foreign key: a message may name a project that does not exist, and the
    row is where its sender finds out.

    A worker that runs the task holds its lease until ``lease_expires_at``, which it puts off while
    it works. Whoever takes the lease next counts ``lease_token`` up, and what is written under an
    older token is refused. ``crashes`` counts the attempts that ended without a word.

    Of the tasks of a queue that may run, those with a lower ``priority`` go first; null is that of
    the actor.

    A task may leave its work to others: ``num_chunks`` rows with its id as ``parent_id``, of the
    same project. It is ``started`` while they are not final, without a lease, and ends after them.

    ``trace_context`` holds the headers of the span that submitted it (``traceparent``,
    ``tracestate``), where its sender records traces.

    A trigger refuses a request that names another project than the row.
    """

    __tablename__ = "task"

    parent_id: Mapped[int | None] = mapped_column(ForeignKey("task.id", ondelete="CASCADE"))
    num_chunks: Mapped[int | None] = mapped_column(Integer)
    project_id: Mapped[int | None]
    message_id: Mapped[str]
    type: Mapped[str]
    queue: Mapped[str | None]
    status: Mapped[str] = mapped_column(server_default=TaskStatus.PENDING)
    progress: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    stage: Mapped[str | None]
    request: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    attempts: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    max_attempts: Mapped[int | None] = mapped_column(Integer)
    crashes: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    next_attempt_at: Mapped[datetime | None]
    not_before: Mapped[datetime | None]
    priority: Mapped[int | None] = mapped_column(Integer)
    cancel_requested_at: Mapped[datetime | None]
    lease_owner: Mapped[str | None]
    lease_token: Mapped[int] = mapped_column(server_default=text("0"))
    lease_expires_at: Mapped[datetime | None]
    idempotency_key: Mapped[str | None]
    correlation_id: Mapped[str | None]
    trace_context: Mapped[dict[str, Any] | None]
    queued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("message_id"),
        UniqueConstraint("project_id", "idempotency_key"),
        # What the foreign key of chunks refers to: a task of this very project.
        UniqueConstraint("id", "project_id"),
        ForeignKeyConstraint(
            ["parent_id", "project_id"],
            ["task.id", "task.project_id"],
            ondelete="CASCADE",
        ),
        Index(None, "project_id", "id"),
        Index(None, "status", "id"),
        Index(None, "parent_id", postgresql_where=text("parent_id IS NOT NULL")),
        Index(None, "correlation_id", postgresql_where=text("correlation_id IS NOT NULL")),
        Index(None, "type", "id"),
        Index(
            "ix_task_queue_id_waiting",
            "queue",
            "id",
            postgresql_where=text("status IN ('pending', 'retrying')"),
        ),
        # What lists and counts the failures: by cause, by time.
        Index(
            "ix_task_error_code_id",
            text("(error ->> 'code')"),
            "id",
            postgresql_where=text("status = 'failed'"),
        ),
        Index(None, "finished_at", postgresql_where=text("status = 'failed'")),
        _one_of("status", TaskStatus),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress_is_percentage"),
    )


class TaskHistory(Base):
    """What happened to a task, in order of ``id``.

    A trigger of ``task`` writes it, so that whatever changes a task's row is told, whoever does it,
    and in the same transaction. Its submission is not told: that is the row's ``queued_at``.

    Attributes:
        attempt: Which attempt it was about; 0 before the first.
        worker: Who held the lease, as in ``task.lease_owner``.
        error: What the attempt failed with.
        next_attempt_at: When the next one was to begin.
        times: How often it happened in a row, with starts between that are not told; the other
            columns are of the last time.
    """

    __tablename__ = "task_event"

    task_id: Mapped[int] = mapped_column(ForeignKey("task.id", ondelete="CASCADE"))
    event: Mapped[str]
    attempt: Mapped[int] = mapped_column(Integer)
    worker: Mapped[str | None]
    error: Mapped[dict[str, Any] | None]
    next_attempt_at: Mapped[datetime | None]
    times: Mapped[int] = mapped_column(Integer, server_default=text("1"))

    __table_args__ = (Index(None, "task_id", "id"), _one_of("event", TaskEventKind))


class ProjectRemoval(Base):
    """A project whose row was deleted, by whomever, and whose files are still to be removed."""

    __tablename__ = "project_removal"

    project_id: Mapped[int]

    __table_args__ = (UniqueConstraint("project_id"),)


class QueuePause(Base):
    """A queue of which no task may start. One that is not paused has no row."""

    __tablename__ = "queue_pause"

    queue: Mapped[str]
    reason: Mapped[str | None]

    __table_args__ = (UniqueConstraint("queue"),)


class Worker(Base):
    """A worker process that has registered, and has not ended in order.

    Attributes:
        name: What it signs leases with: no other process has it.
        group_pid: Process id of its group's master on that host.
        queues: Those it listens to.
        threads: Tasks of each queue that it runs side by side.
        version: Of the release it runs.
        seen_at: When it was last heard of; :mod:`lexiclass_core.workers` has what that means.
        away_since: When this process last began not to reach the database.
        away_until: When it reached it again.
        plugins_digest: Of the :class:`PluginCatalog` with its plugins; null until it has looked.
        settings: What :mod:`lexiclass_core.worker_settings` reads; loaded when it is asked for.
    """

    __tablename__ = "worker"

    name: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int] = mapped_column(Integer)
    group_pid: Mapped[int] = mapped_column(Integer)
    queues: Mapped[list[str]] = mapped_column(ARRAY(Text))
    threads: Mapped[int] = mapped_column(Integer)
    version: Mapped[str]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    away_since: Mapped[datetime | None]
    away_until: Mapped[datetime | None]
    plugins_digest: Mapped[str | None]
    settings: Mapped[dict[str, Any]] = mapped_column(
        JSONObject(none_as_null=True), server_default=text("'{}'::jsonb"), deferred=True
    )

    __table_args__ = (UniqueConstraint("name"),)


class PluginCatalog(Base):
    """The plugins that workers have, as they describe them; equal ones are kept once.

    Attributes:
        digest: SHA-256 of ``content``, in hexadecimal digits.
        content: What :mod:`lexiclass_core.plugins` reads.
        seen_at: When a worker last said that it has these.
    """

    __tablename__ = "plugin_catalog"

    digest: Mapped[str]
    content: Mapped[dict[str, Any]] = mapped_column(
        JSONObject(none_as_null=True), server_default=text("'{}'::jsonb")
    )
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (UniqueConstraint("digest"),)


class AccessToken(Base):
    """What lets somebody into the console: a login link that is used once, or a session.

    Attributes:
        kind: ``login`` or ``session``.
        digest: SHA-256 of the token, in hexadecimal digits; the token itself is nowhere.
        user_name: Whose it is.
        role: What they may do; see :class:`~lexiclass_core.statuses.Role`.
        expires_at: When it ends.
    """

    __tablename__ = "access_token"

    kind: Mapped[str]
    digest: Mapped[str]
    user_name: Mapped[str]
    role: Mapped[str]
    expires_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("digest"),
        Index(None, "expires_at"),
        CheckConstraint("kind IN ('login', 'session')", name="kind"),
        _one_of("role", Role),
    )


class AuditEvent(Base):
    """What somebody did in the console, written in the transaction that did it.

    Attributes:
        user_name: Who.
        role: As what.
        action: What, such as ``task.cancel``.
        subject: On what, such as ``task 12``.
        outcome: What became of it, for people.
        details: What it was given.
    """

    __tablename__ = "audit_event"

    user_name: Mapped[str]
    role: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    outcome: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'::jsonb"))

    __table_args__ = (_one_of("role", Role),)


class Installation(Base):
    """One row: what the storage knows this database by.

    Attributes:
        key: Made up when the tables were made, and kept by a dump.
    """

    __tablename__ = "installation"

    key: Mapped[UUID] = mapped_column(server_default=func.gen_random_uuid())


class SchemaSupport(Base):
    """One row: which workers the tables serve.

    Attributes:
        serves_from: The version of the tables whose workers are the oldest that can use these.
    """

    __tablename__ = "schema_support"

    serves_from: Mapped[str]
