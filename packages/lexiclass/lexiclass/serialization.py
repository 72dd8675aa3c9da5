"""JSON and arrays on disk, in forms that can't run code and give the same bytes every time."""

from __future__ import annotations

import json
import mmap
import re
from collections.abc import Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from safetensors.numpy import save_file

from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.regular_files import LARGEST_READ, open_regular, read_regular
from lexiclass.writing import writing

Arrays = dict[str, NDArray[Any]]

_DTYPES: Final = {
    "BOOL": "?",
    **{f"I{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"U{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"F{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}

# Bytes of a number; of the last type NumPy knows none.
_SIZES: Final = {**{name: np.dtype(dtype).itemsize for name, dtype in _DTYPES.items()}, "BF16": 2}

# As the format has it: https://huggingface.co/docs/safetensors#format
_LENGTH_BYTES: Final = 8
_MAX_HEADER_BYTES: Final = 100_000_000

# So many take no room; each of more takes 64 bytes and more, for 3 of a file, until it is refused.
_FEW_NESTED: Final = 1_000
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\(?:.|\Z)[^"\\]*+)*+(?:"|\Z)', re.DOTALL)

_Size = Annotated[int, Field(ge=0, le=2**62)]


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
        InvalidParameters: If the value has no JSON form, or is too long to be read again.
    """
    content = canonical_json(value)
    if len(content) > LARGEST_READ:
        raise InvalidParameters(
            f"{path.name!r} would have {len(content)} bytes, and at most {LARGEST_READ} are read "
            "again: take fewer features."
        )
    with writing(path):
        path.write_bytes(content)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ModelCorrupt: If it is missing, no regular file, too long or not UTF-8 JSON.
    """
    return parse_json(read_regular(path), file=path.name)


def _nests(data: bytes) -> bool:
    return data.count(b"[") + data.count(b"{") > _FEW_NESTED


def read_terms(path: Path) -> list[str]:
    """Read a JSON list of distinct strings.

    Raises:
        ModelCorrupt: If it is anything else.
    """
    data = read_regular(path)
    if _nests(data) and _nests(_STRING.sub(b"", data)):
        raise ModelCorrupt(path.name, "not a list of strings")
    terms = parse_json(data, file=path.name)
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


#: dtype and number of dimensions of arrays, by their names.
ArrayTypes: TypeAlias = Mapping[str, tuple[type[np.generic], int]]


def read_arrays(
    path: Path, expected: ArrayTypes, *, optional: ArrayTypes = MappingProxyType({})
) -> Arrays:
    """Map arrays from a safetensors file; see :func:`read_all_arrays`.

    Raises:
        ModelCorrupt: If the file is missing, not safetensors, or holds other arrays.
    """
    arrays = read_all_arrays(path)
    found = {name: (array.dtype, array.ndim) for name, array in arrays.items()}
    wanted = {
        name: (np.dtype(dtype), ndim)
        for name, (dtype, ndim) in {**optional, **expected}.items()
        if name in expected or name in found
    }
    if found != wanted:
        raise ModelCorrupt(path.name, f"holds {found}, expected {wanted}")
    return arrays


def read_all_arrays(path: Path) -> Arrays:
    """Map whatever arrays a safetensors file holds; see :func:`memmap_arrays`.

    Raises:
        ModelCorrupt: If the file is missing or not safetensors.
    """
    return memmap_arrays(path)[1]


def memmap_arrays(path: Path) -> tuple[mmap.mmap, Arrays]:
    """Map a safetensors file: its bytes, and whatever arrays it holds.

    Their bytes are read when they are used, and shared with all who map the same file. They can be
    written to, as arrays in memory can: the file never changes. It may be replaced or removed
    meanwhile, but must not be written to.

    Raises:
        ModelCorrupt: If the file is missing, no regular file or not safetensors.
    """
    with open_regular(path) as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            return content, _arrays_in(content)
        except (ValueError, RecursionError) as error:
            raise ModelCorrupt(path.name, f"not a safetensors file ({error})") from error


def read_array_shapes(path: Path) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return the type, in the words of the format, and the shape of each array of a file.

    Raises:
        ModelCorrupt: If the file is missing, no regular file or not safetensors.
    """
    with open_regular(path) as file:
        try:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                described, _ = _header_of(content)
        except (ValueError, RecursionError) as error:
            raise ModelCorrupt(path.name, f"not a safetensors file ({error})") from error
    return {name: (array.dtype, tuple(array.shape)) for name, array in described.items()}


class _ArrayHeader(BaseModel):
    """What a safetensors file says of one of its arrays."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    dtype: str
    shape: list[_Size] = Field(max_length=8)
    data_offsets: list[_Size] = Field(min_length=2, max_length=2)


_HEADERS: Final = TypeAdapter(dict[str, _ArrayHeader])


def _arrays_in(content: mmap.mmap) -> Arrays:
    """The arrays of a safetensors file; nothing is allocated for them."""
    described, start = _header_of(content)
    if unknown := sorted({array.dtype for array in described.values()} - _DTYPES.keys()):
        raise ValueError(f"holds arrays of the type {unknown[0]}")
    return {
        name: np.ndarray(
            array.shape,
            dtype=_DTYPES[array.dtype],
            buffer=content,
            offset=start + array.data_offsets[0],
        )
        for name, array in described.items()
    }


def _header_of(content: mmap.mmap) -> tuple[dict[str, _ArrayHeader], int]:
    """The header of a safetensors file, and where its data begin.

    8 bytes of length, a JSON header, then the data: each array has exactly the bytes that its shape
    needs, after those of the one before, up to the end of the file.

    Raises:
        ValueError: If it is not laid out so.
    """
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    if start > min(len(content), _MAX_HEADER_BYTES):
        raise ValueError("its header does not end")
    header = json.loads(content[_LENGTH_BYTES:start].decode("utf-8"))
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")  # noqa: TRY004 - of a file's content
    header.pop("__metadata__", None)
    described = _HEADERS.validate_python(header)
    end = 0
    for name, array in sorted(described.items(), key=lambda item: item[1].data_offsets):
        if array.dtype not in _SIZES:
            raise ValueError(f"{name!r} has the unknown type {array.dtype!r}")
        begin, end = end, end + prod(array.shape) * _SIZES[array.dtype]
        if array.data_offsets != [begin, end]:
            raise ValueError(f"{name!r} lies at {array.data_offsets}, expected {[begin, end]}")
    if start + end != len(content):
        raise ValueError(f"has {len(content)} bytes, its arrays need {start + end}")
    return described, start
