"""How one log record becomes one line."""

import json
import math
import os
import re
from collections.abc import Mapping
from datetime import UTC
from traceback import TracebackException
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from lexiclass_worker.redaction import MASK, Redactor, is_sensitive

if TYPE_CHECKING:
    from loguru import Record

CONTEXT_FIELDS: Final = (
    "message_id",
    "actor",
    "queue",
    "attempt",
    "project_id",
    "field_id",
    "correlation_id",
)
"""What the lines of a task carry, in this order."""

# A message may repeat the arguments of a task, and those a hundred thousand document ids.
_LONGEST_TEXT: Final = 16_384
_DEEPEST: Final = 6
# Python writes no number of more than some thousand digits, and JSON's readers far fewer.
_LARGEST_BITS: Final = 1024

_CONTINUED: Final = "\n    "
_LINE_BREAKS: Final = re.compile(r"\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]")
_CONTROLS: Final = re.compile(r"[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")


def json_line(record: "Record", redact: Redactor) -> str:
    """The record as one JSON object, ASCII only, so that no stream can spoil it."""
    return json.dumps(_fields(record, redact), allow_nan=False) + "\n"


def text_line(record: "Record", redact: Redactor) -> str:
    """The record for people: time, level, logger, message, context, then the traceback.

    Lines that continue it are indented, and what terminals act upon is escaped: no text of a sender
    can look like another record.
    """
    fields = _fields(record, redact)
    head = f"{fields.pop('time')} {fields.pop('level'):<8} {fields.pop('logger')}"
    message = fields.pop("message")
    exception = fields.pop("exception", None)
    del fields["pid"]
    context = " ".join(f"{name}={value}" for name, value in fields.items())
    line = f"{head} | {message}" + (f" | {context}" if context else "")
    text = f"{line}\n{exception['traceback'].rstrip()}" if exception else line
    text = _LINE_BREAKS.sub(_CONTINUED, text)
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text) + "\n"


def _fields(record: "Record", redact: Redactor) -> dict[str, Any]:
    extra = record["extra"]
    fields: dict[str, Any] = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds"),
        "level": record["level"].name,
        "logger": record["name"],
        "message": record["message"],
        **{name: extra[name] for name in CONTEXT_FIELDS if name in extra},
    }
    # What is ours keeps its name: an extra field cannot forge a level or a message id.
    fields |= {name: value for name, value in extra.items() if name not in fields}
    fields["pid"] = os.getpid()
    exception = record["exception"]
    if exception is not None and exception.type is not None and exception.value is not None:
        fields["exception"] = _exception(exception.type, exception.value, exception.traceback)
    return {name: _plain(value, redact, name=name) for name, value in fields.items()}


def _exception(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> dict[str, str]:
    described = TracebackException(kind, error, traceback, compact=True)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return {
        "type": f"{module}{kind.__qualname__}",
        "message": str(described),
        "traceback": "".join(described.format()),
    }


def _plain(value: object, redact: Redactor, *, name: str = "", depth: int = 0) -> object:
    """The value in JSON's own types, without secrets."""
    if value is None or isinstance(value, bool):
        return value
    if is_sensitive(name):
        return MASK
    if isinstance(value, int) and value.bit_length() <= _LARGEST_BITS:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {
                redact(str(key)): _plain(item, redact, name=str(key), depth=depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [_plain(item, redact, depth=depth + 1) for item in value]
    # In this order: half a secret would not be known for one.
    return _shorten(redact(_text(value)))


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a log line must not fail a task, and says so
        return f"<{type(value).__name__} that cannot be shown: {type(error).__name__}>"


def _shorten(text: str) -> str:
    """The beginning and the end: a traceback says what happened in its last line."""
    if len(text) <= _LONGEST_TEXT:
        return text
    half = _LONGEST_TEXT // 2
    return f"{text[:half]} ...{len(text) - 2 * half} characters left out... {text[-half:]}"
