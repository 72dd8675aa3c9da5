"""The files of a folder, at any depth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def is_visible(path: Path) -> bool:
    """Whether a file or folder is meant to be seen."""
    return not path.name.startswith(".")


def leads_out(file: Path, folder: Path) -> bool:
    """Whether a file is a link to one outside of a folder, or to itself."""
    try:
        return not file.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a loop of links is a RuntimeError up to Python 3.12
        return True


def visible_children(folder: Path) -> list[Path]:
    """Return what is in a folder and meant to be seen, in order."""
    return sorted(child for child in folder.iterdir() if is_visible(child))


def walk(folder: Path) -> Iterator[Path]:
    """Return what is no folder and meant to be seen, in order: files, links, pipes and devices.

    What is in hidden folders is not given. Links to folders are given themselves: to follow them
    might never end.
    """
    # No recursion: folders can lie in each other deeper than that goes.
    open_folders = [iter(visible_children(folder))]
    while open_folders:
        child = next(open_folders[-1], None)
        if child is None:
            open_folders.pop()
        elif child.is_dir() and not child.is_symlink():
            open_folders.append(iter(visible_children(child)))
        else:
            yield child
