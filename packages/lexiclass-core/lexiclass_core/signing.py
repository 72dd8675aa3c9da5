"""Signatures of messages: who has a key may send, whoever else can write to Redis may not.

A signature is an HMAC with SHA-256 (RFC 2104) of what must not change on a message's way, in its
option ``signature``. What brokers and workers write into a message while they carry it is not
signed. That a message is sent once more is no danger: its id is signed, and its task is run once.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, Self

from lexiclass_core.keys import Keys
from lexiclass_core.queueing.redis_keys import DELAYED

# What Dramatiq and the workers write into the options of a message on its way.
_UNSIGNED: Final = frozenset({"signature", "redis_message_id", "eta", "retries", "traceback"})


class Signer:
    """Signs messages with the first of some keys, and knows the signatures of all of them.

    Args:
        keys: At least one; the others are those that are being replaced.
    """

    def __init__(self, *keys: bytes) -> None:
        self._keys = Keys(*keys)

    @classmethod
    def of(cls, keys: str | None) -> Self | None:
        """A signer with the keys in a text; see :meth:`Keys.parse`.

        Raises:
            ValueError: If a key is too short, or there is none.
        """
        parsed = Keys.parse(keys)
        return None if parsed is None else cls(*parsed)

    def sign(self, fields: Mapping[str, Any]) -> str:
        """The signature of a message, in hexadecimal digits."""
        return self._keys.sign(signed_content(fields))

    def verifies(self, fields: Mapping[str, Any]) -> bool:
        """Whether one of the keys has signed a message as it is."""
        try:
            content = signed_content(fields)
        except RecursionError:
            return False
        return self._keys.verify(content, fields["options"].get("signature"))


def signed_content(fields: Mapping[str, Any]) -> bytes:
    """What is signed of a message: the same bytes for whoever reads it from its JSON.

    A JSON array of actor, queue (that of a delay queue without ``.DQ``), message id, time stamp,
    args, kwargs and options (without those that change), as ``json.dumps`` writes it in ASCII with
    sorted keys and no blanks.
    """
    options = fields["options"]
    content = [
        fields["actor_name"],
        fields["queue_name"].removesuffix(DELAYED),
        fields["message_id"],
        fields["message_timestamp"],
        fields["args"],
        fields["kwargs"],
        {name: options[name] for name in options if name not in _UNSIGNED},
    ]
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")
