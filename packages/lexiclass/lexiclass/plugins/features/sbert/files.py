"""The files of a sentence encoder: which there are, and that they hold no code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import TypeAdapter

from lexiclass.errors import ModelCorrupt
from lexiclass.plugins.base import PluginContext
from lexiclass.plugins.features.sbert.settings import (
    ModelSettings,
    Module,
    PoolingSettings,
    TransformerSettings,
    module_folder,
    settings_of,
    special_tokens,
    tokenizer_settings,
)
from lexiclass.plugins.pretrained.config import CONFIG, checked_config, refuse_code
from lexiclass.plugins.pretrained.folder import find_weights, write_folder
from lexiclass.plugins.pretrained.models import find_copies
from lexiclass.regular_files import read_regular

# Lists the modules of an encoder; what it is known by.
_MARKER = "modules.json"

# Everything else in such directories is weights in formats that can run code, or documentation.
_SUFFIXES = frozenset({".json", ".txt", ".model", ".safetensors"})

#: What to fetch from a hub.
PATTERNS = ("*.json", "*.txt", "*.model", "model*.safetensors", "[0-9]_*/*")

# Module types by the last part of their name. A modules.json may name any class of any installed
# package, which would be imported and called; these three read numbers and JSON only.
_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
_ROOT = "sentence_transformers."
_MOST_MODULES = 8

# Large, and without settings: given to the tokenizer as they are.
_VOCABULARIES = frozenset(
    {
        "added_tokens.json",
        "merges.txt",
        "sentencepiece.bpe.model",
        "spiece.model",
        "spm.model",
        "tokenizer.json",
        "tokenizer.model",
        "vocab.json",
        "vocab.txt",
    }
)

# Longer ones hold no settings.
_MAX_SETTINGS_BYTES = 16 * 2**20

# As sentence-transformers looks for it; the oldest names are those of the first architectures.
_TRANSFORMER_FILES = tuple(
    f"sentence_{name}_config.json"
    for name in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedEncoder:
    """What a library may be given of an encoder."""

    config: dict[str, Any]
    documents: Mapping[str, Any]
    vocabularies: Mapping[str, Path]
    weights: Mapping[str, Path]

    def write(self, directory: Path) -> None:
        """Write all of it to an empty directory."""
        write_folder(directory, self.documents, self.vocabularies, self.weights)


def find_encoders(model: str, context: PluginContext) -> list[Path]:
    """Return the directories on this machine that hold the model.

    Raises:
        InvalidParameters: If a path leads to no encoder.
        PluginUnavailable: If there is none.
    """
    return [path.parent for path in find_copies(model, _MARKER, context, patterns=PATTERNS)]


def encoder_files(directory: Path, context: PluginContext | None = None) -> dict[str, Path]:
    """Return the files an encoder consists of, by their name relative to its directory.

    They must be inside of the context's model directory, links resolved.

    Raises:
        ValueError: If it is not understood, would run code, has no weights as safetensors, or has
            a link that leads out of the model directory.
    """
    folders = sorted({PurePosixPath(".")} | {f for _, f in _modules(_read(directory / _MARKER))})
    found: dict[str, Path] = {}
    for folder in folders:
        inside = directory / folder
        for path in sorted(inside.iterdir()) if inside.is_dir() else ():
            if path.suffix in _SUFFIXES and path.is_file():
                _check_link(path, context)
                found[(folder / path.name).as_posix()] = path
    if not any(path.suffix == ".safetensors" for path in found.values()):
        raise ValueError("it has no weights in safetensors format")
    checked_encoder(found)
    return found


def checked_encoder(files: Mapping[str, Path]) -> CheckedEncoder:
    """Return what a library may be given of an encoder; other settings are left out.

    Raises:
        ValueError: If a setting asks for code, has a value that it can't have, or a file is
            missing or not understood.
    """
    for name, path in files.items():
        if path.suffix == ".json" and path.name not in _VOCABULARIES:
            refuse_code(_read(path), name)
    modules = _modules(_read(_file(files, _MARKER)))
    kinds = [kind for kind, _ in modules]
    if kinds[:1] != ["Transformer"] or kinds.count("Transformer") != 1:
        raise ValueError(f"its modules are {', '.join(kinds)}, expected one Transformer first")
    folder = modules[0][1]
    names = ["", *(f"{number}_{kind}" for number, kind in enumerate(kinds[1:], start=1))]
    config = checked_config(_bytes(_file(files, str(folder / CONFIG))))
    documents: dict[str, Any] = {
        _MARKER: [
            {"idx": number, "name": str(number), "path": name, "type": f"{_ROOT}models.{kind}"}
            for number, (kind, name) in enumerate(zip(kinds, names, strict=True))
        ],
        CONFIG: config,
    }
    model, transformer, pooling = (
        partial(settings_of, kind) for kind in (ModelSettings, TransformerSettings, PoolingSettings)
    )
    wanted: list[tuple[str, str, Callable[[Any], Any]]] = [
        ("config_sentence_transformers.json", "config_sentence_transformers.json", model),
        (str(folder / "tokenizer_config.json"), "tokenizer_config.json", tokenizer_settings),
        (str(folder / "special_tokens_map.json"), "special_tokens_map.json", special_tokens),
        *(
            (str(place / CONFIG), f"{name}/{CONFIG}", pooling)
            for (kind, place), name in zip(modules, names, strict=True)
            if kind == "Pooling"
        ),
    ]
    named = [str(folder / name) for name in _TRANSFORMER_FILES if str(folder / name) in files]
    wanted += [(name, _TRANSFORMER_FILES[0], transformer) for name in named[:1]]
    for source, target, make in wanted:
        if source not in files:
            continue
        try:
            documents[target] = make(_read(files[source]))
        except ValueError as error:
            raise ValueError(f"in {source!r}, {error}") from error
    beside = {path.name: path for n, path in files.items() if PurePosixPath(n).parent == folder}
    return CheckedEncoder(
        config=config,
        documents=documents,
        vocabularies={name: path for name, path in beside.items() if name in _VOCABULARIES},
        weights=find_weights(beside),
    )


def copy_encoder(files: Mapping[str, Path], directory: Path) -> None:
    """Copy an encoder's files into a new directory."""
    for name, path in files.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _modules(content: Any) -> Sequence[tuple[str, PurePosixPath]]:
    """The kind and the folder of each module."""
    # What pydantic raises is a ValueError.
    modules = TypeAdapter(list[Module]).validate_python(content)
    if len(modules) > _MOST_MODULES:
        raise ValueError(f"it has {len(modules)} modules, more than {_MOST_MODULES}")
    found = []
    for module in modules:
        kind = module.type.rsplit(".", 1)[-1]
        if not module.type.startswith(_ROOT) or kind not in _MODULES:
            raise ValueError(f"its module {module.type!r} is none of {', '.join(sorted(_MODULES))}")
        found.append((kind, module_folder(module)))
    return found


def _file(files: Mapping[str, Path], name: str) -> Path:
    if name not in files:
        raise ValueError(f"it has no {name!r}")
    return files[name]


def _bytes(path: Path) -> bytes:
    # The hub's cache links its files to a neighbouring folder.
    return read_regular(path.resolve(), _MAX_SETTINGS_BYTES)


def _read(path: Path) -> Any:
    try:
        return json.loads(_bytes(path))
    except (OSError, ValueError, RecursionError, ModelCorrupt) as error:
        raise ValueError(f"{path.name!r} is not readable JSON ({error})") from error


def _check_link(path: Path, context: PluginContext | None) -> None:
    allowed = None if context is None else context.model_directory
    # The hub's cache, which is elsewhere, links its files to a neighbouring folder.
    if allowed is None or not path.is_symlink():
        return
    root = allowed.resolve()
    if path.parent.resolve().is_relative_to(root) and not path.resolve().is_relative_to(root):
        raise ValueError(f"{path.name!r} is a link out of the model directory")
