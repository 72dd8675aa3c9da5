"""Columns of JSON objects into which other programs have written JSON that is none."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import JSONB

from lexiclass_core.db.values import UnreadableJSON


class JSONObject(JSONB):
    """JSONB of a column that is not null, read as a dict whatever it holds.

    What is no object is read as an :class:`~lexiclass_core.db.values.UnreadableJSON`: whoever looks
    for a key in it finds none.
    """

    cache_ok = True

    class Comparator(JSONB.Comparator[Any]):
        """What is inside an object may be anything."""

        def _setup_getitem(self, index: Any) -> Any:
            operator, path, _ = super()._setup_getitem(index)  # type: ignore[no-untyped-call]
            return operator, path, JSONB()

    comparator_factory = Comparator

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """What reads a value of the column."""
        read = super().result_processor(dialect, coltype)

        def process(value: Any) -> Any:
            found = value if read is None else read(value)
            # A null of JSON is told as none of SQL: the column may not be null in SQL.
            return found if isinstance(found, dict) else UnreadableJSON(unreadable="not an object")

        return process
