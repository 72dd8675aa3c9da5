"""Messages of tasks that were written in a caller's transaction: sent once that is committed."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from lexiclass_core.envelope import Envelope

Send = Callable[[Sequence[Envelope]], None]


class _Waiting(NamedTuple):
    """A message, and the transaction or savepoint in which its task was written."""

    envelope: Envelope
    send: Send
    transaction: SessionTransaction | None


def send_after_commit(session: Session, envelope: Envelope, send: Send) -> None:
    """Have a message sent after the commit of a session's transaction; never if it is taken back.

    ``send`` is called once for all messages of the transaction, and does not block.
    """
    if not session.in_transaction():
        session.begin()
    transaction = session.get_nested_transaction() or session.get_transaction()
    session.info.setdefault(_WAITING, []).append(_Waiting(envelope, send, transaction))
    if not event.contains(session, "after_commit", _committed):
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_soft_rollback", _taken_back)


def _committed(session: Session) -> None:
    if session.in_nested_transaction():
        return
    envelopes: defaultdict[Send, list[Envelope]] = defaultdict(list)
    for waiting in session.info.pop(_WAITING, ()):
        envelopes[waiting.send].append(waiting.envelope)
    for send, some in envelopes.items():
        send(some)


def _taken_back(session: Session, transaction: SessionTransaction) -> None:
    waiting: list[_Waiting] = session.info.get(_WAITING, [])
    session.info[_WAITING] = [each for each in waiting if not _is_within(each, transaction)]


def _is_within(waiting: _Waiting, transaction: SessionTransaction) -> bool:
    current = waiting.transaction
    while current is not None and current is not transaction:
        current = current.parent
    return current is not None


_WAITING = "lexiclass: messages to be sent after the commit"
