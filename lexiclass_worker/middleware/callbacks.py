"""Follow-ups of a message that has ended, for senders who ask for one."""

from typing import Any

from dramatiq import Broker, middleware
from dramatiq.broker import MessageProxy

from lexiclass_worker.tasks.outcome import ComesBack


class Callbacks(middleware.Callbacks):
    """Dramatiq's middleware of that name, which takes every exception for a failure.

    A message that comes back, for its task may not start yet or others work on it, has not failed.
    """

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Send the follow-up of the end that it came to, if it did."""
        if not isinstance(exception, ComesBack):
            super().after_process_message(  # type: ignore[no-untyped-call]
                broker, message, result=result, exception=exception
            )
