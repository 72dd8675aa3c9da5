"""Damaging stored data, as disks and people do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from lexiclass.checksums import list_files, record_files
from lexiclass.self_digest import dump_with_digest, load_with_digest


def rewrite_manifest(model: Path, **changes: Any) -> None:
    """Change a model's manifest and seal it again, as whoever can write to the storage could."""
    path = model / "manifest.json"
    path.write_bytes(dump_with_digest({**load_with_digest(path.read_bytes(), file="x"), **changes}))


def reseal(model: Path) -> None:
    """Make a model's manifest fit its files, whatever they are now: every checksum passes."""
    names = [name for name in list_files(model) if name != "manifest.json"]
    files = {name: record.model_dump() for name, record in record_files(model, names).items()}
    rewrite_manifest(model, files=files)


def rewrite_json(model: Path, name: str, value: Any) -> None:
    """Write JSON into a file of a model and seal it again, as :func:`rewrite_manifest` does."""
    (model / name).write_text(json.dumps(value, separators=(",", ":"), ensure_ascii=False))
    reseal(model)


@contextmanager
def damaged(directory: Path, data: st.DataObject) -> Iterator[Path]:
    """Change one byte of one file, or cut the file there; give it back afterwards."""
    paths = sorted(path for path in directory.rglob("*") if path.is_file() and path.stat().st_size)
    path = data.draw(st.sampled_from(paths))
    original = path.read_bytes()
    place = data.draw(st.integers(0, len(original) - 1))
    if data.draw(st.booleans(), label="truncate"):
        path.write_bytes(original[:place])
    else:
        changed = bytearray(original)
        changed[place] ^= data.draw(st.integers(1, 255), label="flip")
        path.write_bytes(changed)
    try:
        yield path
    finally:
        path.write_bytes(original)
