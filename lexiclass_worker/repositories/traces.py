"""Numbers of documents in requests, results, errors and metrics."""

from collections.abc import Collection, Iterator
from typing import Any, Final

# What keys of lists of documents end with; lists of other numbers have other names.
_LISTS: Final = ("document_ids", "documents")
_ONE: Final = "document_id"


def without_documents(value: Any, ids: Collection[int]) -> Any:
    """A JSON value without some documents: in lists of documents, and what is said of one."""
    match value:
        case dict():
            return {
                key: _without_in_list(item, ids)
                if key.endswith(_LISTS)
                else without_documents(item, ids)
                for key, item in value.items()
                if not (key == _ONE and _is_one_of(item, ids))
            }
        case list():
            return [
                without_documents(item, ids)
                for item in value
                if not (isinstance(item, dict) and _is_one_of(item.get(_ONE), ids))
            ]
        case _:
            return value


def _without_in_list(value: Any, ids: Collection[int]) -> Any:
    if not isinstance(value, list):
        return without_documents(value, ids)
    return list(_kept(value, ids))


def _kept(values: list[Any], ids: Collection[int]) -> Iterator[Any]:
    for value in without_documents(values, ids):
        if not _is_one_of(value, ids):
            yield value


def _is_one_of(value: Any, ids: Collection[int]) -> bool:
    return type(value) is int and value in ids
