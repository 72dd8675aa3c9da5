"""Passwords, held against their hashes."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lexiclass_core.access.settings import Account

_HASHER: Final = PasswordHasher()

# Held against it where there is no such account: both take as long.
_NOBODY: Final = _HASHER.hash("nobody has this password")

_MOST_FAILURES: Final = 20
_WITHIN_S: Final = 60.0
_MOST_ADDRESSES: Final = 10_000


class TooManyAttempts(Exception):
    """Wrong passwords come so often that none is looked at for a while."""


def hash_password(password: str) -> str:
    """Hash a password with Argon2id: RFC 9106, its parameters for machines with less memory."""
    return _HASHER.hash(password)


class Passwords:
    """Says whether passwords are right; one at a time, as each costs 64 MB for a moment.

    Args:
        accounts: People by name.
    """

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def is_right(self, name: str, password: str, address: str) -> bool:
        """Whether this is the password of somebody.

        Args:
            name: Who they say they are.
            password: What they know.
            address: From where they say so: guesses of one keep nobody else from logging in.

        Raises:
            TooManyAttempts: After 20 wrong ones in a minute from this address, or of IPv6 from
                the network of 64 bits that it is of, which one machine has for itself.
        """
        origin = _origin_of(address)
        account = self._accounts.get(name)
        stored = account.password_hash if account is not None else None
        async with self._one_at_a_time:
            now = time.monotonic()
            failures = self._failures.get(origin, deque[float]())
            if len(failures) == _MOST_FAILURES and now - failures[0] < _WITHIN_S:
                raise TooManyAttempts
            against = stored.get_secret_value() if stored is not None else _NOBODY
            right = await asyncio.to_thread(_verify, against, password) and stored is not None
            if not right:
                self._note_failure(origin, now)
            return right

    def _note_failure(self, origin: str, now: float) -> None:
        self._failures.setdefault(origin, deque(maxlen=_MOST_FAILURES)).append(now)
        self._failures.move_to_end(origin)
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)


def _origin_of(address: str) -> str:
    """Whose guesses are counted together."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ip_network((int(found), 64), strict=False))


def _verify(stored: str, password: str) -> bool:
    try:
        return _HASHER.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False
