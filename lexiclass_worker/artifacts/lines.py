"""Files of lines, such as histories of predictions."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

# A prediction has a hundred scores at most; a file without a line break can be of any size.
_LONGEST_LINE: Final = 16 * 2**20


def lines_of(source: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a file; None for one that is longer than any of ours."""
    while line := source.readline(_LONGEST_LINE + 1):
        if len(line) <= _LONGEST_LINE:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = source.readline(_LONGEST_LINE)
        yield None


def copy_lines(source: BinaryIO, target: BinaryIO, keep: Callable[[bytes], bool]) -> int:
    """Copy the lines of a file that are to be kept. Returns how many are not.

    One that is longer than any of ours is not: nobody can say what it holds.
    """
    removed = 0
    for line in lines_of(source):
        if line is not None and keep(line):
            target.write(line)
        else:
            removed += 1
    return removed
