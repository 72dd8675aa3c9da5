"""Unix sockets of tests."""

import socket
from pathlib import Path


def bind(path: Path) -> None:
    """Bind a socket to a path, whose folder is made."""
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
