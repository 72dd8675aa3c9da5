"""Notes of erasures that are under way: when documents came whose rows are gone already.

An erasure that is killed after it has deleted rows could not tell any more which models were
trained since the documents were there. A note lies in the project's storage from before that until
the erasure has ended. Another says of an erasure that nobody can read the documents any more, and
since when.
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import uuid4

from lexiclass_core import layout
from lexiclass_core.documents.notes import LARGEST_NOTE, parse_json
from lexiclass_worker.artifacts.storage import Storage


class Unreadable(NamedTuple):
    """Documents are gone, but for what those tasks know of them that had begun before.

    Attributes:
        since: By the database's clock.
        num_indexes: Indexes that held something of them.
    """

    since: datetime
    num_indexes: int


def note_unreadable(
    storage: Storage, project_id: int, message_id: str, unreadable: Unreadable
) -> None:
    """Note that nobody can read the documents of an erasure any more."""
    content = json.dumps(
        {"since": unreadable.since.isoformat(), "num_indexes": unreadable.num_indexes}
    )
    storage.write_texts([(_unreadable_path(project_id, message_id), content)])


def unreadable(storage: Storage, project_id: int, message_id: str) -> Unreadable | None:
    """What was noted of an erasure, if it has come that far."""
    (content,) = storage.read_texts([_unreadable_path(project_id, message_id)])
    try:
        note = parse_json(content or b"")
        return Unreadable(_moment(note["since"]), int(note["num_indexes"]))
    except (ValueError, TypeError, KeyError):
        return None  # not written, or the erasure was killed while it wrote this


def note(storage: Storage, project_id: int, came: Mapping[int, datetime]) -> None:
    """Note when documents came whose rows are about to be deleted."""
    content = {str(document_id): at.isoformat() for document_id, at in came.items()}
    path = layout.erasure_notes(project_id) / f"{uuid4().hex}.json"
    storage.write_texts([(path, json.dumps(content))])


def noted(storage: Storage, project_id: int, ids: Collection[int]) -> dict[int, datetime]:
    """When documents came that erasures have begun with and not ended, of those with some ids."""
    came: dict[int, datetime] = {}
    for content in _read(storage, project_id).values():
        came |= {key: at for key, at in content.items() if key in ids}
    return came


def dismiss(storage: Storage, project_id: int, message_id: str, ids: Collection[int]) -> None:
    """Remove the notes of an erasure that has ended; one that names other documents stays."""
    storage.remove(_unreadable_path(project_id, message_id))
    for name, content in _read(storage, project_id).items():
        if content.keys() <= set(ids):
            storage.remove(layout.erasure_notes(project_id) / name)


def _read(storage: Storage, project_id: int) -> dict[str, dict[int, datetime]]:
    folder = layout.erasure_notes(project_id)
    sizes = storage.file_sizes(folder).items()
    # A larger one is somebody else's.
    names = sorted(name for name, size in sizes if name.endswith(".json") and size <= LARGEST_NOTE)
    contents = storage.read_texts([folder / name for name in names])
    return {name: _parse(content) for name, content in zip(names, contents, strict=True)}


def _unreadable_path(project_id: int, message_id: str) -> PurePosixPath:
    # A message's id may be any text.
    key = sha256(message_id.encode()).hexdigest()[:32]
    return layout.erasure_notes(project_id) / f"{key}.unreadable"


def _parse(content: bytes | None) -> dict[int, datetime]:
    try:
        note = parse_json(content or b"{}")
        return {int(key): _moment(at) for key, at in note.items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # its erasure was killed while it wrote this, before it deleted any row


def _moment(text: Any) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without its zone")
    return at
