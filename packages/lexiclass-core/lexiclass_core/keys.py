"""Secret keys that something is signed with: an HMAC with SHA-256 (RFC 2104)."""

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final, Self

SHORTEST_KEY: Final = 32
"""Characters that a key has at least."""


class Keys:
    """Signs with the first of some keys, and knows the signatures of all of them.

    Args:
        keys: At least one; the others are those that are being replaced.
    """

    def __init__(self, *keys: bytes) -> None:
        self._keys = keys

    @classmethod
    def parse(cls, keys: str | None) -> Self | None:
        """The keys in a text, separated by blanks; None without a text.

        Raises:
            ValueError: If a key is too short, or there is none.
        """
        if keys is None:
            return None
        each = keys.split()
        if not each or min(map(len, each)) < SHORTEST_KEY:
            raise ValueError(
                f"a signing key has fewer than {SHORTEST_KEY} characters: expected one key, or "
                "several separated by blanks, such as `openssl rand -hex 32` makes"
            )
        return cls(*(key.encode() for key in each))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._keys)

    def derived(self, purpose: bytes) -> "Keys":
        """Keys for one purpose, one of each: who has them signs for no other purpose."""
        return Keys(*(_signature(key, purpose).encode() for key in self._keys))

    def sign(self, content: bytes) -> str:
        """The signature of some bytes, in hexadecimal digits."""
        return _signature(self._keys[0], content)

    def verify(self, content: bytes, claimed: object) -> bool:
        """Whether one of the keys has signed some bytes."""
        if not isinstance(claimed, str) or not claimed.isascii():
            return False
        return any(hmac.compare_digest(_signature(key, content), claimed) for key in self._keys)


def _signature(key: bytes, content: bytes) -> str:
    return hmac.new(key, content, hashlib.sha256).hexdigest()
