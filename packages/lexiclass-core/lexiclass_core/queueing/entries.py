"""What an entry of a queue must be to be run: the one place that says so.

Whoever can write to Redis can put anything there. What is no message, what cannot be settled, what
is not for this queue and, where messages are signed, what nobody with a key has signed, is refused
before anything else is done with it, and becomes a dead letter. What is only odd, such as an option
that cannot be used, is left out of the message by who runs it.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lexiclass_core.operations import OPERATIONS
from lexiclass_core.queueing.redis_keys import DELAYED
from lexiclass_core.signing import Signer

MOST_BYTES: Final = 16 * 2**20
"""Largest message that is run, unless the settings say otherwise."""

# Each takes some 60 bytes when it is parsed, however few it has in the message: "[]," has three.
MOST_VALUES: Final = 2_000_000
"""Values that a message may have at most."""

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "queue_name": (str,),
    "actor_name": (str,),
    "args": (list,),
    "kwargs": (dict,),
    "options": (dict,),
    "message_id": (str,),
    "message_timestamp": (int, float),
}
_OPTIONAL: Final = frozenset({"message_id", "message_timestamp"})


class RefusedMessage(Exception):
    """An entry that no worker runs. Its text says why, and quotes names of ours only."""


def queue_of_actor(actor: str) -> str | None:
    """The queue of one of this release's actors; None if there is no such actor."""
    return OPERATIONS[actor].queue if actor in OPERATIONS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRules:
    """Reads entries.

    Attributes:
        queue_of: The queue of an actor, or None if there is no such actor; those of this release.
        signer: Checks signatures; None where messages are not signed.
    """

    queue_of: Callable[[str], str | None] = queue_of_actor
    signer: Signer | None = None
    most_bytes: int = MOST_BYTES

    def read(self, entry: bytes | None, *, queue: str, key: bytes) -> dict[str, Any]:
        """The fields of a message.

        ``entry`` is None for what is larger than it may be, ``key`` what Redis calls it, and the
        queue may be a delay queue.

        Raises:
            RefusedMessage: If it is not to be run.
        """
        if entry is None or len(entry) > self.most_bytes:
            raise RefusedMessage(f"it has more than {self.most_bytes} bytes")
        fields = self.check(_parse(entry), queue=queue)
        # It could never be acknowledged under another name.
        named = fields["options"].get("redis_message_id")
        if not isinstance(named, str) or named.encode(errors="replace") != key:
            raise RefusedMessage("its option redis_message_id is not the key it has in Redis")
        fields.setdefault("message_id", named)
        fields.setdefault("message_timestamp", int(time.time() * 1000))
        if self.signer is not None:
            self._require_signature(self.signer, fields)
        return fields

    def refusal(self, entry: bytes, queue: str, key: bytes) -> str | None:
        """Why an entry of a queue, or of its delay queue, is not to be run; None if it is."""
        delayed = f"{queue}{DELAYED}"
        reasons = []
        for name in (queue, delayed):
            try:
                self.read(entry, queue=name, key=key)
            except RefusedMessage as refusal:
                reasons.append(str(refusal))
        return reasons[0] if len(reasons) == 2 else None

    def check(self, fields: Any, *, queue: str) -> dict[str, Any]:
        """The same of a message that was parsed, or is part of another, and is not signed.

        Raises:
            RefusedMessage: If it is not to be run.
        """
        if not isinstance(fields, dict):
            raise RefusedMessage("it is no object with the fields of a message")
        for name, types in _TYPES.items():
            if name not in fields and name in _OPTIONAL:
                continue
            if not isinstance(fields.get(name), types):
                raise RefusedMessage(f"its {name} is missing or of a wrong type")
        if unknown := len(fields.keys() - _TYPES.keys()):
            raise RefusedMessage(f"it has {unknown} fields that messages do not have")
        if fields["queue_name"] != queue:
            raise RefusedMessage("it names another queue than the one it is in")
        expected = self.queue_of(fields["actor_name"])
        if expected is None:
            raise RefusedMessage("it names an actor that there is not")
        if expected != queue.removesuffix(DELAYED):
            raise RefusedMessage(
                f"its actor is served in queue {expected}, and no other: send it there"
            )
        return fields

    @staticmethod
    def _require_signature(signer: Signer, fields: dict[str, Any]) -> None:
        if "signature" not in fields["options"]:
            raise RefusedMessage("it is not signed, and these workers run signed messages only")
        if not signer.verifies(fields):
            raise RefusedMessage(
                "its signature is by none of the keys of these workers, or it was changed since"
            )


def has_too_many_values(entry: bytes, *, beside: int = 0) -> bool:
    """Whether an entry, with so many values more, would take much memory when it is parsed."""
    return sum(map(entry.count, (b",", b"[", b"{"))) + beside > MOST_VALUES


def _parse(entry: bytes) -> Any:
    if has_too_many_values(entry):
        raise RefusedMessage(f"it has more than {MOST_VALUES} values")
    try:
        return json.loads(entry.decode())
    except UnicodeDecodeError:
        raise RefusedMessage("it is not UTF-8") from None
    except RecursionError:
        raise RefusedMessage("it is nested too deeply") from None
    except ValueError:
        raise RefusedMessage("it is not JSON") from None
