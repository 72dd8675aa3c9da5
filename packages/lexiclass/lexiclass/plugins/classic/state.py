"""Objects without a way to disk of their own, stored by their attributes.

Only plain data can be stored: JSON values, lists, tuples, sets, dictionaries, NumPy arrays and
scalars of numbers or text, SciPy sparse matrices. Reading them back builds plain data only, so a
stored file can't run code.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from lexiclass.corruption import taking_in
from lexiclass.errors import InvalidParameters, ModelCorrupt
from lexiclass.serialization import (
    Arrays,
    canonical_json,
    read_all_arrays,
    read_json,
    write_arrays,
    write_json,
)

_STATE_FILE = "attributes.json"
_ARRAYS_FILE = "attributes.safetensors"

# More than any state has; beyond, a few numbers in a file would fill the memory.
_MOST_TEXT_BYTES = 2**28
_MOST_COLUMNS = 2**26
_SPARSE_FORMATS = frozenset({"bsr", "coo", "csc", "csr", "dia", "dok", "lil"})


def save_instance(instance: Any, directory: Path) -> None:
    """Store an instance by its own ``save(directory)``, else by its attributes.

    Raises:
        InvalidParameters: If it has neither ``save`` nor plain attributes; names the attribute.
    """
    if _stores_itself(instance):
        instance.save(directory)
    else:
        save_attributes(instance, directory)


def load_instance(instance: Any, directory: Path) -> Any:
    """Restore what :func:`save_instance` stored into a new instance; returns the restored one.

    ``load`` may fill the instance in place or, like a class method, return another one.
    """
    if not _stores_itself(instance):
        load_attributes(instance, directory)
        return instance
    loaded = instance.load(directory)
    return loaded if isinstance(loaded, type(instance)) else instance


def _stores_itself(instance: Any) -> bool:
    return callable(getattr(instance, "save", None)) and callable(getattr(instance, "load", None))


def save_attributes(instance: object, directory: Path) -> None:
    """Write all attributes of an object.

    Raises:
        InvalidParameters: Naming the first attribute that is not plain data.
    """
    arrays: Arrays = {}
    owner = type(instance).__name__
    try:
        attributes = vars(instance)
    except TypeError as error:
        raise InvalidParameters(
            f"A {owner} has no attributes to store; give it save(directory) and load(directory)."
        ) from error
    try:
        state = {name: _encode(value, name, arrays) for name, value in attributes.items()}
    except (_NotPlain, RecursionError) as error:
        raise InvalidParameters(
            f"A {owner} can't be stored: {error}. Keep plain data "
            "(numbers, text, lists, dictionaries, NumPy arrays, SciPy sparse matrices) in its "
            "attributes, or give it save(directory) and load(directory).",
            details={"class": owner, "reason": str(error)},
        ) from error
    write_json(directory / _STATE_FILE, state)
    write_arrays(directory / _ARRAYS_FILE, arrays)


def load_attributes(instance: object, directory: Path) -> None:
    """Set the attributes that :func:`save_attributes` wrote.

    Raises:
        ModelCorrupt: If the files do not fit together.
    """
    state = read_json(directory / _STATE_FILE)
    arrays = read_all_arrays(directory / _ARRAYS_FILE)
    with taking_in(_STATE_FILE):
        for name in state:
            if hasattr(type(instance), name) and callable(getattr(type(instance), name)):
                raise ModelCorrupt(_STATE_FILE, f"{name!r} would take the place of a method")
        vars(instance).update({name: _decode(value, arrays) for name, value in state.items()})


class _NotPlain(Exception):
    """A value that can't be stored; the message says where it is and what."""


def _encode(value: Any, where: str, arrays: Arrays) -> Any:
    """Return JSON for a value; anything but a JSON scalar becomes ``{kind: content}``."""
    if value is None or type(value) in (bool, int, str):
        return value
    for kind, (accepts, encode, _) in _KINDS.items():
        if accepts(value):
            return {kind: encode(value, where, arrays)}
    raise _NotPlain(f"attribute {where!r} holds a {type(value).__module__}.{type(value).__name__}")


def _decode(value: Any, arrays: Arrays) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    return _KINDS[kind][2](content, arrays)


def _encode_items(values: Any, where: str, arrays: Arrays) -> list[Any]:
    return [_encode(item, f"{where}[{place}]", arrays) for place, item in enumerate(values)]


def _encode_set(values: Any, where: str, arrays: Arrays) -> list[Any]:
    # Sorted, because the order of a set differs from process to process.
    return sorted((_encode(item, where, arrays) for item in values), key=canonical_json)


def _encode_dict(values: dict[Any, Any], where: str, arrays: Arrays) -> list[Any]:
    return [
        [_encode(key, where, arrays), _encode(item, f"{where}[{key!r}]", arrays)]
        for key, item in values.items()
    ]


def _encode_array(value: Any, where: str, arrays: Arrays) -> str:
    del where
    name = f"array_{len(arrays)}"
    arrays[name] = value.astype(value.dtype.newbyteorder("="), copy=False)
    return name


def _encode_text_array(value: Any, where: str, arrays: Arrays) -> dict[str, Any]:
    del where, arrays
    return {"dtype": value.dtype.str, "shape": list(value.shape), "items": value.ravel().tolist()}


def _decode_text_array(content: Any, arrays: Arrays) -> Any:
    del arrays
    dtype, items = np.dtype(content["dtype"]), content["items"]
    if dtype.kind != "U":
        raise ValueError(f"{dtype} is not text")
    # Every item takes as much room as the longest can have.
    if dtype.itemsize * len(items) > _MOST_TEXT_BYTES:
        raise ValueError(f"{len(items)} texts of {dtype.itemsize} bytes each")
    return np.array(items, dtype=dtype).reshape(content["shape"])


def _encode_sparse(value: Any, where: str, arrays: Arrays) -> dict[str, Any]:
    rows = value.tocsr()
    return {
        "format": value.format,
        "is_array": isinstance(value, sparse.sparray),
        "shape": list(value.shape),
        "parts": [
            _encode_array(part, where, arrays) for part in (rows.data, rows.indices, rows.indptr)
        ],
    }


def _decode_sparse(content: Any, arrays: Arrays) -> Any:
    make = sparse.csr_array if content["is_array"] else sparse.csr_matrix
    data, indices, indptr = map(arrays.__getitem__, content["parts"])
    num_rows, num_columns = content["shape"]
    if content["format"] not in _SPARSE_FORMATS or num_columns > _MOST_COLUMNS:
        raise ValueError(f"a sparse matrix of {num_columns} columns as {content['format']!r}")
    matrix = make((data, indices, indptr), shape=(num_rows, num_columns))
    matrix.check_format(full_check=True)
    return matrix.asformat(content["format"])


def _is_numeric(value: Any) -> bool:
    return type(value) is np.ndarray and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8


def _is_numeric_sparse(value: Any) -> bool:
    is_sparse = bool(sparse.issparse(value))
    return is_sparse and value.ndim == 2 and value.dtype.kind in "biuf"


_Accepts = Callable[[Any], bool]
_Encode = Callable[[Any, str, Arrays], Any]
_Decode = Callable[[Any, Arrays], Any]


def _collection(kind: type[Any], encode: _Encode) -> tuple[_Accepts, _Encode, _Decode]:
    return (
        lambda value: type(value) is kind,
        encode,
        lambda items, arrays: kind(_decode(item, arrays) for item in items),
    )


# Kind -> which values are of it, how they become JSON and arrays, how they come back.
_KINDS: dict[str, tuple[_Accepts, _Encode, _Decode]] = {
    # As text, because JSON has no infinity and NaN; repr gives the same float back.
    "float": (lambda v: type(v) is float, lambda v, *_: repr(v), lambda c, _: float(c)),
    "list": _collection(list, _encode_items),
    "tuple": _collection(tuple, _encode_items),
    "set": _collection(set, _encode_set),
    "frozenset": _collection(frozenset, _encode_set),
    "dict": (
        lambda v: type(v) is dict,
        _encode_dict,
        lambda c, arrays: {_decode(key, arrays): _decode(item, arrays) for key, item in c},
    ),
    "array": (_is_numeric, _encode_array, lambda c, arrays: arrays[c]),
    "text_array": (
        lambda v: type(v) is np.ndarray and v.dtype.kind == "U",
        _encode_text_array,
        _decode_text_array,
    ),
    "scalar": (
        lambda v: isinstance(v, np.generic) and v.dtype.kind in "biuf" and v.dtype.itemsize <= 8,
        lambda v, where, arrays: _encode_array(np.asarray(v), where, arrays),
        lambda c, arrays: arrays[c][()],
    ),
    "text_scalar": (lambda v: type(v) is np.str_, lambda v, *_: str(v), lambda c, _: np.str_(c)),
    "sparse": (_is_numeric_sparse, _encode_sparse, _decode_sparse),
}
