"""Files of lines, such as histories of predictions."""

from collections.abc import Callable
from typing import BinaryIO


def copy_lines(source: BinaryIO, target: BinaryIO, keep: Callable[[bytes], bool]) -> int:
    """Copy the lines of a file that are to be kept. Returns how many are not."""
    removed = 0
    for line in source:
        if keep(line):
            target.write(line)
        else:
            removed += 1
    return removed
