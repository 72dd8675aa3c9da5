"""Follow-ups of a message that has ended, for senders who ask for one."""

from typing import Any

from dramatiq import Broker, middleware
from dramatiq.broker import MessageProxy


class Callbacks(middleware.Callbacks):
    """Dramatiq's middleware of that name, which takes every exception for a failure.

    A message that is tried again, comes back, or was interrupted by a shutdown has not failed. The
    middleware Retries says which has, and its hook runs before this one.
    """

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Send the follow-up of a message that will not be run again."""
        if exception is None or message.failed:
            super().after_process_message(  # type: ignore[no-untyped-call]
                broker, message, result=result, exception=exception
            )
