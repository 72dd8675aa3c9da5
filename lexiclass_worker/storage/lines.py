"""Files of lines, such as histories of predictions."""

from collections.abc import Callable
from pathlib import Path


def copy_lines(source: Path, target: Path, keep: Callable[[bytes], bool]) -> int:
    """Copy the lines of a file that are to be kept. Returns how many are not."""
    removed = 0
    with source.open("rb") as lines, target.open("wb") as kept:
        for line in lines:
            if keep(line):
                kept.write(line)
            else:
                removed += 1
    return removed
