"""Rows as plain values."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PlainT = TypeVar("PlainT", bound="DataclassInstance")


def plain(kind: type[PlainT], row: object, **others: Any) -> PlainT:
    """A dataclass whose fields have the names of a row's columns, but for some other values."""
    names = [each.name for each in fields(kind) if each.name not in others]
    return kind(**{name: getattr(row, name) for name in names}, **others)
