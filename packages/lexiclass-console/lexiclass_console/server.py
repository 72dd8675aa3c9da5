"""The console as a server of its own."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Final

import uvicorn
from starlette.applications import Starlette

from lexiclass_core.access.settings import ConsoleSettings

# Streams of pages do not end by themselves.
_GRACE_S: Final = 2

_LAST_PORT: Final = 65_535


class NotProtected(ValueError):
    """The console would be open to others, and nobody would be asked who they are."""


class CannotListen(ValueError):
    """Nothing can listen at an address; the message says why, and what to do."""


def require_protection(host: str, settings: ConsoleSettings) -> None:
    """Refuse an address that others reach where nobody has a password and no proxy asks.

    Raises:
        NotProtected: If it is one.
    """
    if _is_loopback(host) or settings.asks_who:
        return
    raise NotProtected(
        f"the console would listen at {host}, where others reach it, and nobody could log in but "
        "by one-time links: set CONSOLE__ACCOUNTS with passwords, or CONSOLE__PROXY_NETWORKS, or "
        "listen at 127.0.0.1"
    )


def listen(host: str, port: int, *, further: int = 0) -> socket.socket:
    """Take an address, before anybody is told of it.

    Where the port is taken, so many ``further`` ones after it may stand in.

    Raises:
        CannotListen: If all of them are taken, or it is no address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in range(port, min(port + further, _LAST_PORT) + 1):
        try:
            return socket.create_server((host, candidate), family=family)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CannotListen(
                    f"the console cannot listen at {host}, port {candidate}: {error.strerror}; "
                    "CONSOLE__HOST and CONSOLE__PORT, or --host and --port, name another address"
                ) from None
    ports = f"port {port}" if not further else f"each of the ports {port} to {port + further}"
    raise CannotListen(
        f"another program listens at {host}, {ports}, a console perhaps that runs already: "
        "CONSOLE__PORT, or --port, names another port"
    )


def serve(app: Starlette, listening: socket.socket) -> None:
    """Serve the console until SIGTERM or Ctrl-C."""
    with suppress(KeyboardInterrupt):
        _server(app).run(sockets=[listening])


@contextmanager
def serving(app: Starlette, listening: socket.socket) -> Iterator[None]:
    """Serve the console from a thread for the time of a ``with`` block."""
    server = _server(app)
    thread = Thread(target=server.run, kwargs={"sockets": [listening]}, name="console", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


def _server(app: Starlette) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            # Who asks is whose address the connection has: headers can be made up.
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
