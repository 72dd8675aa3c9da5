"""Messages of a client, on a thread of its own."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from lexiclass_core.client.errors import BrokerUnavailable
from lexiclass_core.client.messages import Sender
from lexiclass_core.envelope import Envelope
from lexiclass_core.signing import Signer

# A send that failed after so long had somebody wait: the next ones are not tried for a while.
_LONG_S: Final = 0.5
_PAUSE_S: Final = 5.0


class ClientSender(Sender):
    """A :class:`Sender` for asyncio. A Redis that hangs takes none of the program's own threads.

    After a send that waited in vain one in some seconds is tried, and the others are refused at
    once.
    """

    def __init__(self, broker_url: str, namespace: str, signer: Signer | None = None) -> None:
        super().__init__(broker_url, namespace, signer)
        # One: until a first message was sent, Dramatiq's lock lets one through at a time.
        self._thread = _thread()
        self._paused_until = 0.0

    async def deliver(self, envelope: Envelope) -> None:
        """See :meth:`send`."""
        is_trial = self._paused_until > 0
        self._refuse_while_paused()
        if is_trial:
            self._pause()
        send = self._try if is_trial else self._send_unless_paused
        await asyncio.get_running_loop().run_in_executor(self._thread, send, envelope)

    def close(self) -> None:
        """Close the connections to Redis; the next use opens others."""
        thread, self._thread = self._thread, _thread()
        thread.shutdown()
        super().close()

    def _send_unless_paused(self, envelope: Envelope) -> None:
        # Those before it may have waited in vain.
        self._refuse_while_paused()
        self._try(envelope)

    def _try(self, envelope: Envelope) -> None:
        began = time.monotonic()
        try:
            self.send(envelope)
        except BrokerUnavailable:
            if time.monotonic() - began >= _LONG_S:
                self._pause()
            raise
        self._paused_until = 0.0

    def _pause(self) -> None:
        self._paused_until = time.monotonic() + _PAUSE_S

    def _refuse_while_paused(self) -> None:
        if time.monotonic() < self._paused_until:
            raise BrokerUnavailable("Redis did not answer a moment ago")


def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="lexiclass-sender")
