"""The console as a server of its own."""

from __future__ import annotations

import ipaddress
from typing import Final

import uvicorn
from starlette.applications import Starlette

from lexiclass_core.access.settings import ConsoleSettings

# Streams of pages do not end by themselves.
_GRACE_S: Final = 2


class NotProtected(ValueError):
    """The console would be open to others, and nobody would be asked who they are."""


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


def serve(app: Starlette, host: str, port: int) -> None:
    """Serve the console until SIGTERM or Ctrl-C."""
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        # Who asks is whose address the connection has: headers can be made up.
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
