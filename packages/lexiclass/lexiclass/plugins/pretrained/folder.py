"""A folder that a library loads an encoder from: it has what was checked, and nothing beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from lexiclass.serialization import read_array_shapes

_WHOLE = "model.safetensors"
_PART = "model-*.safetensors"
_INDEX = f"{_WHOLE}.index.json"


def find_weights(files: Mapping[str, Path]) -> dict[str, Path]:
    """Return the weights among the files of a folder: one file, or the parts of a large one.

    Raises:
        ValueError: If there are none.
    """
    if _WHOLE in files:
        return {_WHOLE: files[_WHOLE].resolve()}
    parts = {n: path.resolve() for n, path in files.items() if PurePosixPath(n).match(_PART)}
    if not parts:
        raise ValueError("it has no weights in safetensors format where they belong")
    return parts


def write_folder(
    directory: Path,
    documents: Mapping[str, Any],
    files: Mapping[str, Path],
    weights: Mapping[str, Path],
) -> None:
    """Write an encoder to an empty directory; weights are linked, for they are large.

    Raises:
        ModelCorrupt: If the weights are not safetensors.
    """
    for name, content in documents.items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(json.dumps(content), encoding="utf-8")
    for name, path in files.items():
        shutil.copyfile(path, directory / name)
    for name, path in weights.items():
        with suppress(OSError, NotImplementedError):  # Windows allows it to few
            (directory / name).symlink_to(path)
            continue
        shutil.copyfile(path, directory / name)
    if weights.keys() != {_WHOLE}:
        owners = {each: name for name, path in weights.items() for each in read_array_shapes(path)}
        index = {"metadata": {}, "weight_map": owners}
        (directory / _INDEX).write_text(json.dumps(index), encoding="utf-8")
