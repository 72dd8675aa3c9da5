"""The console: tasks, queues and workers in a browser."""

from lexiclass_console.app import create_console
from lexiclass_core.access.settings import Account, ConsoleSettings, ProxyLogin

__all__ = ["Account", "ConsoleSettings", "ProxyLogin", "create_console"]
