"""What a child's memory is, and whether it is too much.

The parent looks at the child ten times a second or more and kills it when it has taken more than
it may. The kernel's own limits do not do: under RLIMIT_DATA and RLIMIT_AS an allocation fails, and
liblinear, for one, does not ask whether it did but writes through the null pointer. The task would
be called crashed, and tried again. They also count what is mapped and never touched: the files of
a model, the stacks of threads.
"""

import asyncio
import re
from pathlib import Path
from typing import Final

# Memory is first written at some GB/s: a limit is passed by a few hundred megabytes at most.
_INTERVAL_S: Final = 0.05

_FIGURES: Final = re.compile(rb"^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$", re.MULTILINE)


def read_memory(pid: int) -> int:
    """Bytes that only the end of a process gives back: what it holds in memory and in swap.

    Pages of mapped files are not among them, for the kernel can drop those. 0 for a process that
    has ended, and where there is no /proc.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return 1024 * sum(map(int, _FIGURES.findall(status)))


class MemoryMeter:
    """Measures what a child takes for one job, on top of what it held before.

    What it held is what it shares with the fork server, and the models that earlier jobs have
    loaded.

    Attributes:
        peak_bytes: The most that was seen.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = read_memory(pid)
        self.peak_bytes = 0

    def sample(self) -> None:
        """Look now."""
        self.peak_bytes = max(self.peak_bytes, read_memory(self._pid) - self._before)

    async def exceed(self, limit_bytes: int | None) -> None:
        """Look until there is more than allowed: without a limit, for ever."""
        while limit_bytes is None or self.peak_bytes <= limit_bytes:
            await asyncio.sleep(_INTERVAL_S)
            self.sample()
