"""What all tables have in common."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKeyConstraint,
    Identity,
    MetaData,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from lexiclass_core.db.json_objects import JSONObject


def one_of(column: str, statuses: type[StrEnum]) -> CheckConstraint:
    """A constraint on the values of a column."""
    values = ", ".join(f"'{status}'" for status in statuses)
    return CheckConstraint(f"{column} IN ({values})", name=column)


def class_of_field(column: str = "class_id", *, name: str | None = None) -> ForeignKeyConstraint:
    """A reference to a class of the very field that a row is about."""
    return ForeignKeyConstraint(
        ["field_id", column],
        ["field_class.field_id", "field_class.id"],
        name=name,
        ondelete="CASCADE",
    )


StoredObject = Annotated[
    dict[str, Any],
    mapped_column(JSONObject(none_as_null=True), server_default=text("'{}'::jsonb")),
]
"""A column of JSON objects, empty unless said otherwise; others may have written anything there."""


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
