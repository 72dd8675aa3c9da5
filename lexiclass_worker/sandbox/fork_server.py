"""What the fork server itself does, besides loading libraries: this is the last it loads.

Importing it anywhere else does nothing.
"""

import atexit
import gc
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

# How multiprocessing starts it. Its socket lies in a temporary folder of the worker, which cannot
# remove it when it is killed; the server outlives the worker by a moment.
_COMMAND = re.compile(r"from multiprocessing\.forkserver import main; main\((\d+),")


def _remove_on_exit(address: Path) -> None:
    def remove() -> None:
        address.unlink(missing_ok=True)
        # The worker may be first, and may keep other things there while it lives.
        with suppress(OSError):
            address.parent.rmdir()

    atexit.register(remove)


def _prepare(listener_descriptor: int) -> None:
    listener = socket.socket(fileno=listener_descriptor)
    _remove_on_exit(Path(listener.getsockname()))
    listener.detach()
    # A collection in a child would touch, and thereby copy, what all of them share.
    gc.collect()
    gc.freeze()


if (_command := _COMMAND.search(" ".join(sys.orig_argv))) is not None:
    _prepare(int(_command[1]))
