"""Versions of models, and what they predict."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from lexiclass_core.models.base import Base, StoredObject, class_of_field, one_of
from lexiclass_core.statuses import ModelAction, ModelStatus


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
    metrics: Mapped[StoredObject]
    manifest: Mapped[StoredObject]
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
        one_of("status", ModelStatus),
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
    details: Mapped[StoredObject]

    __table_args__ = (
        ForeignKeyConstraint(
            ["field_id", "version"], ["model.field_id", "model.version"], ondelete="CASCADE"
        ),
        Index(None, "field_id", "id"),
        one_of("action", ModelAction),
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
        class_of_field(),
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
