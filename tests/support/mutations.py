"""Changing one thing in a stored model or index and making every checksum fit again.

What whoever can write to the storage could do, one value at a time: any value of any JSON file, the
manifest's included, and any array, by its numbers, its shape or its type. :func:`mutate` takes a
random generator, so that a seed gives the same change again.
"""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from lexiclass import LexiClassError
from lexiclass.checksums import FileRecord
from lexiclass.self_digest import dump_with_digest, load_with_digest
from tests.support.damage import reseal

_SEALED: Final = ("manifest.json", "index.json")

_NUMBERS: Final = (0, -1, 1, 2, 2**31, 2**62, 2**64, 10**30, 0.5, -0.5, 1e308, float("nan"))
_WORDS: Final = ("", "x", "\0", "../../x", "/etc/hostname", "\ud800", "a" * 5000, "os.system")
_OTHERS: Final[tuple[Any, ...]] = (None, True, [], {}, [[]], {"x": 1}, "nan", -1)


Place = tuple[int | str, ...]


def places(value: Any, before: Place = ()) -> Iterator[Place]:
    """The place of every value in a JSON document, itself included."""
    yield before
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        # Of a long list a few: they are alike.
        items = [(n, value[n]) for n in {*range(min(len(value), 20)), len(value) - 1} if value]
    for key, item in items:
        yield from places(item, (*before, key))


def mutate_json(value: Any, rng: random.Random) -> tuple[Any, str]:
    """A copy of a JSON document with one value changed, and what was done."""
    place = rng.choice(list(places(value)))
    document = json.loads(json.dumps(value))
    if not place:
        changed = _other(document, rng)
        return changed, f"all of it -> {changed!r:.60}"
    within = document
    for key in place[:-1]:
        within = within[key]
    kind = rng.randrange(8)
    if kind == 0:
        del within[place[-1]]
        return document, f"{place} removed"
    if kind == 1 and isinstance(within, dict):
        within[rng.choice(_WORDS)] = within[place[-1]]
        return document, f"{place} there twice"
    if kind == 1:
        within.append(within[place[-1]])
        return document, f"{place} repeated"
    within[place[-1]] = changed = _other(within[place[-1]], rng)
    return document, f"{place} -> {changed!r:.60}"


def _other(value: Any, rng: random.Random) -> Any:
    if rng.random() < 0.2:
        return rng.choice(_OTHERS)
    match value:
        case bool():
            return not value
        case int() | float():
            return rng.choice((*_NUMBERS, value + 1, -value, value * 1000))
        case str():
            return rng.choice((*_WORDS, value[:-1], value + "0"))
        case list() if value:
            return rng.choice((value[::-1], value[:-1], value * 2, [value], value[:1] * len(value)))
        case dict() if value:
            return rng.choice(({}, {"x": value}, list(value), dict(list(value.items())[:-1])))
        case _:
            return rng.choice(_OTHERS)


def mutate_array(array: Any, rng: random.Random) -> tuple[Any, str]:
    """A changed copy of an array, and what was done."""
    kinds: dict[str, Callable[[], Any]] = {
        "doubled": lambda: np.concatenate((array, array)),
        "emptied": lambda: array[:0],
        "halved": lambda: array[: len(array) // 2],
        "flattened": array.ravel,
        "one more dimension": lambda: array[np.newaxis],
        "reversed": lambda: array[::-1],
        "retyped": lambda: array.astype(np.float64 if array.dtype.kind != "f" else np.int64),
        "all zero": lambda: np.zeros_like(array),
        "largest": lambda: _filled(array, rng, largest=True),
        "least": lambda: _filled(array, rng, largest=False),
    }
    if array.dtype.kind == "f":
        kinds["not a number"] = lambda: _set(array, rng, np.nan)
        kinds["infinite"] = lambda: _set(array, rng, np.inf)
    kind = rng.choice(sorted(kinds))
    with np.errstate(all="ignore"):
        return np.ascontiguousarray(kinds[kind]()), kind


def _filled(array: Any, rng: random.Random, *, largest: bool) -> Any:
    if array.dtype.kind == "b":
        return np.full_like(array, largest)
    limits = np.finfo(array.dtype) if array.dtype.kind == "f" else np.iinfo(array.dtype)
    return _set(array, rng, limits.max if largest else limits.min)


def _set(array: Any, rng: random.Random, value: Any) -> Any:
    changed = array.copy()
    if changed.size:
        changed.flat[rng.randrange(changed.size)] = value
    return changed


def mutate(directory: Path, rng: random.Random) -> str:
    """Change one thing in a stored model or index, make the checksums fit, and say what it was."""
    from safetensors.numpy import load_file, save_file

    files = sorted(p for p in directory.rglob("*") if p.suffix in {".json", ".safetensors"})
    path = rng.choice(files)
    before = FileRecord.of(path)
    name = path.relative_to(directory).as_posix()
    if path.suffix == ".safetensors":
        arrays = load_file(path)
        if not arrays or rng.random() < 0.1:
            arrays["more"] = np.zeros(3, np.float32)
            what = "more"
        elif rng.random() < 0.1:
            what = f"{rng.choice(sorted(arrays))} removed"
            del arrays[what.split()[0]]
        else:
            each = rng.choice(sorted(arrays))
            arrays[each], what = mutate_array(arrays[each], rng)
            what = f"{each} {what}"
        save_file(arrays, path)
    elif name in _SEALED:
        content, what = mutate_json(load_with_digest(path.read_bytes(), file=name), rng)
        if not isinstance(content, dict):
            path.write_text(_dump(content))
            return f"{name}: {what}"
        try:
            path.write_bytes(dump_with_digest(content))
        except LexiClassError:  # not to be sealed: a number that JSON does not have
            path.write_text(_dump(content))
        return f"{name}: {what}"
    else:
        content, what = mutate_json(json.loads(path.read_bytes()), rng)
        path.write_text(_dump(content))
    if (directory / "manifest.json").is_file():
        reseal(directory)
    else:
        _reseal_index(directory, path, before)
    return f"{name}: {what}"


def _reseal_index(directory: Path, path: Path, before: FileRecord) -> None:
    """Make an index's manifest fit a file that was changed, wherever it speaks of it."""
    now = FileRecord.of(path).model_dump()

    def renewed(value: Any) -> Any:
        if value == before.model_dump():
            return now
        if isinstance(value, dict):
            return {key: renewed(item) for key, item in value.items()}
        return [renewed(item) for item in value] if isinstance(value, list) else value

    manifest = directory / "index.json"
    content = load_with_digest(manifest.read_bytes(), file=manifest.name)
    manifest.write_bytes(dump_with_digest(renewed(content)))


def _dump(content: Any) -> str:
    return json.dumps(content)
