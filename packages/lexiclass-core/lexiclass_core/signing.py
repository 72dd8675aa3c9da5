"""Signatures of messages: who has a key may send, whoever else can write to Redis may not.

A signature is an HMAC with SHA-256 (RFC 2104) of what must not change on a message's way, in its
option ``signature``. What brokers and workers write into a message while they carry it is not
signed. That a message is sent once more is no danger: its id is signed, and its task is run once.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from lexiclass_core.keys import Keys

# What Dramatiq and the workers write into the options of a message on its way.
_UNSIGNED: Final = frozenset({"signature", "redis_message_id", "eta", "retries", "traceback"})
_DELAYED: Final = ".DQ"


class Signer(Keys):
    """Keys that messages are signed with."""

    def sign_message(self, fields: Mapping[str, Any]) -> str:
        """The signature of a message, in hexadecimal digits."""
        return self.sign(signed_content(fields))

    def verifies(self, fields: Mapping[str, Any]) -> bool:
        """Whether one of the keys has signed a message as it is."""
        claimed = fields["options"].get("signature")
        try:
            content = signed_content(fields)
        except RecursionError:
            return False
        return self.verify(content, claimed)


def signed_content(fields: Mapping[str, Any]) -> bytes:
    """What is signed of a message: the same bytes for whoever reads it from its JSON.

    A JSON array of actor, queue (that of a delay queue without ``.DQ``), message id, time stamp,
    args, kwargs and options (without those that change), as ``json.dumps`` writes it in ASCII with
    sorted keys and no blanks.
    """
    options = fields["options"]
    content = [
        fields["actor_name"],
        fields["queue_name"].removesuffix(_DELAYED),
        fields["message_id"],
        fields["message_timestamp"],
        fields["args"],
        fields["kwargs"],
        {name: options[name] for name in options if name not in _UNSIGNED},
    ]
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode("ascii")
