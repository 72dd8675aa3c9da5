"""Messages of tasks that were written in a caller's transaction: sent once that is committed."""

from collections.abc import Callable, Sequence

from sqlalchemy import event
from sqlalchemy.orm import Session

from lexiclass_core.envelope import Envelope

Send = Callable[[Sequence[Envelope]], None]


def send_after_commit(session: Session, envelope: Envelope, send: Send) -> None:
    """Have a message sent after the commit of a session's transaction.

    What a savepoint has taken back meanwhile is for ``send`` to find out, by the rows.

    Args:
        session: In whose transaction the task was written.
        envelope: The message.
        send: Sends messages of this transaction, without blocking; called once for all of them.
    """
    waiting: dict[Send, list[Envelope]] = session.info.setdefault(_WAITING, {})
    waiting.setdefault(send, []).append(envelope)
    if not event.contains(session, "after_commit", _committed):
        event.listen(session, "after_commit", _committed)


def _committed(session: Session) -> None:
    if session.in_nested_transaction():
        return
    for send, envelopes in session.info.pop(_WAITING, {}).items():
        send(envelopes)


_WAITING = "lexiclass: messages to be sent after the commit"
