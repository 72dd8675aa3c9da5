"""What a client is connected to, in the process that it is used in."""

import os
from collections.abc import Callable
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine

from lexiclass_core.client.live import LiveFeed
from lexiclass_core.client.sending import ClientSender
from lexiclass_core.db import SessionFactory, create_session_factory
from lexiclass_core.queueing.messages import MessageStore

T = TypeVar("T")


class Connections:
    """The database and the broker; of a process that was forked, its own."""

    def __init__(
        self,
        engine: AsyncEngine,
        open_sender: Callable[[], ClientSender],
        open_live: Callable[[], LiveFeed],
    ) -> None:
        self._engine: Final = engine
        self._sessions: Final = create_session_factory(engine)
        self._open_sender = open_sender
        self._open_live = open_live
        self._sender, self._live = open_sender(), open_live()
        self._pid = os.getpid()
        self._of_parents: list[Any] = []

    @property
    def sessions(self) -> SessionFactory:
        """Makes sessions."""
        self._leave_those_of_a_parent()
        return self._sessions

    @property
    def sender(self) -> ClientSender:
        """Sends messages."""
        self._leave_those_of_a_parent()
        return self._sender

    @property
    def live(self) -> LiveFeed:
        """Hears what workers tell."""
        self._leave_those_of_a_parent()
        return self._live

    def look(self, work: Callable[[MessageStore], T]) -> T:
        """See :meth:`Sender.look`."""
        return self.sender.look(work)

    def _leave_those_of_a_parent(self) -> None:
        """Open new connections after a fork: two processes on one would read each other's answers.

        Those of the parent are kept as they are, for it goes on to use them.
        """
        if os.getpid() == self._pid:
            return
        pool = self._engine.sync_engine.pool
        self._of_parents += [pool, self._sender, self._live]
        self._engine.sync_engine.dispose(close=False)
        self._sender, self._live = self._open_sender(), self._open_live()
        self._pid = os.getpid()
