"""The files of a sentence encoder: which there are, and that they hold no code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, TypeAdapter

from lexiclass.plugins.base import PluginContext
from lexiclass.plugins.pretrained import content_digest, find_copies

#: Lists the modules of an encoder; what it is known by.
MARKER = "modules.json"

# Everything else in such directories is weights in formats that can run code, or documentation.
_SUFFIXES = frozenset({".json", ".txt", ".model", ".safetensors"})

#: What to fetch from a hub.
PATTERNS = ("*.json", "*.txt", "*.model", "model*.safetensors", "[0-9]_*/*")

# Module types by the last part of their name. A modules.json may name any class of any installed
# package, which would be imported and called; these three read numbers and JSON only.
_MODULES = frozenset({"Transformer", "Pooling", "Normalize"})
_ROOT = "sentence_transformers."

# Settings by which a model brings Python code along.
_CODE_KEYS = frozenset({"auto_map", "trust_remote_code", "custom_pipelines", "code_revision"})

# Large, and without settings.
_VOCABULARIES = frozenset({"tokenizer.json", "vocab.json"})


class _Module(BaseModel):
    """One entry of the list of modules; what else it says is not looked at."""

    type: str
    path: str


def find_encoders(model: str, context: PluginContext) -> list[Path]:
    """Return the directories on this machine that hold the model.

    Raises:
        InvalidParameters: If a path leads to no encoder.
        PluginUnavailable: If there is none.
    """
    return [path.parent for path in find_copies(model, MARKER, context, patterns=PATTERNS)]


def encoder_files(directory: Path, context: PluginContext | None = None) -> dict[str, Path]:
    """Return the files an encoder consists of, by their name relative to its directory.

    Args:
        directory: Of the encoder.
        context: Whose model directory the files must be inside of, links resolved.

    Raises:
        ValueError: If it is not understood, would run code, has no weights as safetensors, or has
            a link that leads out of the model directory.
    """
    folders = sorted({PurePosixPath("."), *_module_folders(directory / MARKER)})
    found: dict[str, Path] = {}
    for folder in folders:
        inside = directory / folder
        for path in sorted(inside.iterdir()) if inside.is_dir() else ():
            if path.suffix in _SUFFIXES and path.is_file():
                _check_link(path, context)
                found[(folder / path.name).as_posix()] = path
    if not any(path.suffix == ".safetensors" for path in found.values()):
        raise ValueError("it has no weights in safetensors format")
    for name, path in found.items():
        if path.suffix == ".json" and path.name not in _VOCABULARIES:
            _check_no_code(_read(path), name)
    return found


def digest_of(files: Mapping[str, Path]) -> str:
    """Return the digest of an encoder."""
    return content_digest(files)


def copy_encoder(files: Mapping[str, Path], directory: Path) -> None:
    """Copy an encoder's files into a new directory."""
    for name, path in files.items():
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _module_folders(path: Path) -> list[PurePosixPath]:
    # What pydantic raises is a ValueError.
    modules = TypeAdapter(list[_Module]).validate_python(_read(path))
    return [_module_folder(module) for module in modules]


def _module_folder(module: _Module) -> PurePosixPath:
    if not module.type.startswith(_ROOT) or module.type.rsplit(".", 1)[-1] not in _MODULES:
        raise ValueError(f"its module {module.type!r} is none of {', '.join(sorted(_MODULES))}")
    folder = PurePosixPath(module.path)
    if folder.is_absolute() or ".." in folder.parts or "\\" in module.path:
        raise ValueError(f"its module path {module.path!r} leads out of the directory")
    return folder


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path.name!r} is not readable JSON ({error})") from error


def _check_no_code(value: Any, name: str) -> None:
    if isinstance(value, dict):
        found = _CODE_KEYS.intersection(value)
        if found:
            raise ValueError(f"{name!r} asks for code of its own ({', '.join(sorted(found))})")
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _check_no_code(item, name)


def _check_link(path: Path, context: PluginContext | None) -> None:
    allowed = None if context is None else context.model_directory
    # The hub's cache, which is elsewhere, links its files to a neighbouring folder.
    if allowed is None or not path.is_symlink():
        return
    root = allowed.resolve()
    if path.parent.resolve().is_relative_to(root) and not path.resolve().is_relative_to(root):
        raise ValueError(f"{path.name!r} is a link out of the model directory")
