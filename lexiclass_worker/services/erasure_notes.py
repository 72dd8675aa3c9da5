"""Notes of erasures that are under way: when documents came whose rows are gone already.

An erasure that is killed after it has deleted rows could not tell any more which models were
trained since the documents were there. A note lies in the project's storage from before that until
the erasure has ended.
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import uuid4

from lexiclass_core import layout
from lexiclass_worker.storage import Storage


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


def dismiss(storage: Storage, project_id: int, ids: Collection[int]) -> None:
    """Remove the notes of documents that are erased; one that names others stays for these."""
    for name, content in _read(storage, project_id).items():
        if content.keys() <= set(ids):
            storage.remove(layout.erasure_notes(project_id) / name)


def _read(storage: Storage, project_id: int) -> dict[str, dict[int, datetime]]:
    folder = layout.erasure_notes(project_id)
    names = sorted(storage.file_sizes(folder))
    contents = storage.read_texts([folder / name for name in names])
    return {name: _parse(content) for name, content in zip(names, contents, strict=True)}


def _parse(content: bytes | None) -> dict[int, datetime]:
    try:
        note = json.loads(content or b"{}")
        return {int(key): datetime.fromisoformat(at) for key, at in note.items()}
    except (ValueError, TypeError, AttributeError):
        return {}  # its erasure was killed while it wrote this, before it deleted any row
