"""Whether stored data and installed libraries understand each other."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from lexiclass.errors import ModelCorrupt, PluginMismatch

# What a plugin did before there was a parameter for it: what is stored without one did this.
_BEFORE_PARAMETERS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("tokenizer", "icu"): {"split_identifiers": False},
    ("classifier", "svm"): {"term_weighting": 0.0},
}

#: Of the documents, what ``xgboost`` and ``transformer`` hold out at least.
LEAST_HELD_OUT: Final = 0.01

# What parameters that only a training reads must be at least, and need not have been.
_LEAST: Mapping[tuple[str, str], Mapping[str, float]] = {
    ("classifier", "xgboost"): {"held_out": LEAST_HELD_OUT},
    ("classifier", "transformer"): {"held_out": LEAST_HELD_OUT},
}


def spelled_out(place: str, plugin: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored parameters of a plugin with those that did not exist yet.

    Those that are out of bounds that did not exist yet are at these.
    """
    found = {**_BEFORE_PARAMETERS.get((place, plugin), {}), **params}
    for name, least in _LEAST.get((place, plugin), {}).items():
        if isinstance(found.get(name), int | float):
            found[name] = max(found[name], least)
    return found


def check_format(content: Mapping[str, Any], supported: int, *, file: str) -> None:
    """Check the ``format_version`` of a manifest.

    Raises:
        ModelCorrupt: If it has none, or one that never was.
        PluginMismatch: If a newer version of this library wrote it.
    """
    found = content.get("format_version")
    # True is an int, and no number.
    if type(found) is not int or found < 1:
        raise ModelCorrupt(file, "has no format version that there is")
    if found > supported:
        raise PluginMismatch(
            f"{file!r} has format {found}; lexiclass {version('lexiclass')} reads up to format "
            f"{supported}. Update lexiclass, or train and index again.",
            details={"found": found, "supported": supported},
        )


def check_versions(plugin: str, stored: Mapping[str, str], installed: Mapping[str, str]) -> None:
    """Check that a plugin's libraries have the major version its data were made with.

    Before a library's version 1.0 its minor versions count: see https://semver.org, number 4.

    Raises:
        PluginMismatch: If one differs.
    """
    for library, wanted in stored.items():
        found = installed.get(library, "none")
        major = _major(wanted)
        if _major(found) != major:
            raise PluginMismatch(
                f"The {plugin} of the stored data was {library} {wanted}, here is {library} "
                f"{found}, which may treat text differently. Train and index again, or install "
                f"{library} {major}.",
                details={"plugin": plugin, "library": library, "stored": wanted, "here": found},
            )


def _major(version_: str) -> str:
    parts = version_.split(".")
    return ".".join(parts[:2] if parts[0] == "0" else parts[:1])
