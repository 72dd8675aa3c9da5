"""JSON and arrays on disk, in forms that can't run code and give the same bytes every time."""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.writing import writing

Arrays = dict[str, NDArray[Any]]

_DTYPES: Final = {
    "BOOL": "?",
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}


def canonical_json(value: object) -> bytes:
    """Encode ``value`` as UTF-8 JSON with one possible spelling (sorted keys, no NaN).

    Raises:
        InvalidParameters: If the value has no JSON form.
    """
    try:
        text = json.dumps(
            value, allow_nan=False, ensure_ascii=False, separators=(",", ":"), sort_keys=True
        )
        return text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidParameters(f"This value can't be stored as JSON: {error}.") from error


def parse_json(data: bytes, *, file: str) -> Any:
    """Decode UTF-8 JSON.

    Args:
        data: The encoded text.
        file: What to call it in an error.

    Raises:
        ModelCorrupt: If it is not UTF-8 JSON.
    """
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelCorrupt(file, f"not UTF-8 JSON ({error})") from error


def write_json(path: Path, value: object) -> None:
    """Write ``value`` to ``path`` as canonical JSON.

    Raises:
        InvalidParameters: If the value has no JSON form.
    """
    with writing(path):
        path.write_bytes(canonical_json(value))


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ModelCorrupt: If it is missing or not UTF-8 JSON.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ModelCorrupt(path.name, "missing") from error
    return parse_json(data, file=path.name)


def read_terms(path: Path) -> list[str]:
    """Read a JSON list of distinct strings.

    Raises:
        ModelCorrupt: If it is anything else.
    """
    terms = read_json(path)
    if not isinstance(terms, list) or not all(map(str.__instancecheck__, terms)):
        raise ModelCorrupt(path.name, "not a list of strings")
    if len(set(terms)) != len(terms):
        raise ModelCorrupt(path.name, "the terms are not distinct")
    return terms


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write numeric arrays to a safetensors file.

    Raises:
        OSError: If it cannot be written.
    """
    with writing(path):
        save_file({name: np.asarray(array, order="C") for name, array in arrays.items()}, path)


def read_arrays(path: Path, expected: Mapping[str, tuple[type[np.generic], int]]) -> Arrays:
    """Map arrays from a safetensors file; see :func:`read_all_arrays`.

    Args:
        path: The file.
        expected: dtype and number of dimensions of every array that must be there.

    Raises:
        ModelCorrupt: If the file is missing, not safetensors, or holds other arrays.
    """
    arrays = read_all_arrays(path)
    found = {name: (array.dtype, array.ndim) for name, array in arrays.items()}
    wanted = {name: (np.dtype(dtype), ndim) for name, (dtype, ndim) in expected.items()}
    if found != wanted:
        raise ModelCorrupt(path.name, f"holds {found}, expected {wanted}")
    return arrays


def read_all_arrays(path: Path) -> Arrays:
    """Map whatever arrays a safetensors file holds; see :func:`map_file`.

    Raises:
        ModelCorrupt: If the file is missing or not safetensors.
    """
    return map_file(path)[1]


def map_file(path: Path) -> tuple[mmap.mmap, Arrays]:
    """Map a safetensors file: its bytes, and whatever arrays it holds.

    Their bytes are read when they are used, and shared with all who map the same file. They can be
    written to, as arrays in memory can: the file never changes. It may be replaced or removed
    meanwhile, but must not be written to.

    Raises:
        ModelCorrupt: If the file is missing or not safetensors.
    """
    try:
        with safe_open(path, framework="numpy"):
            pass  # checks the header: every array lies inside the file, and on no other
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        return content, _arrays_in(content)
    except FileNotFoundError as error:
        raise ModelCorrupt(path.name, "missing") from error
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise ModelCorrupt(path.name, f"not a safetensors file ({error})") from error


def _arrays_in(content: mmap.mmap) -> Arrays:
    """The arrays of a safetensors file: 8 bytes of length, a JSON header, then the data.

    https://huggingface.co/docs/safetensors#format
    """
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    header.pop("__metadata__", None)
    return {
        name: np.ndarray(
            array["shape"],
            dtype=_DTYPES[array["dtype"]],
            buffer=content,
            offset=start + array["data_offsets"][0],
        )
        for name, array in header.items()
    }
