"""Documents, and the fields they are classified by."""

from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from lexiclass_core.models.base import Base, StoredObject, class_of_field, one_of
from lexiclass_core.statuses import IndexStatus, ServingRule, SuspectStatus

LONGEST_EXTERNAL_ID: Final = 500
"""Characters of ``document.external_id``: what fits into an index of PostgreSQL."""


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
        one_of("index_status", IndexStatus),
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
        one_of("serve", ServingRule),
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
        class_of_field(),
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
    reason: Mapped[StoredObject]
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
        class_of_field(),
        class_of_field("suggested_class_id", name="fk_label_suspect_field_id_suggested"),
        Index(None, "field_id", "status", "score"),
        Index(None, "class_id"),
        Index(None, "suggested_class_id"),
        one_of("status", SuspectStatus),
        CheckConstraint("score >= 0 AND score <= 1", name="score_is_share"),
    )
