"""Passwords, held against their hashes.

Guesses are slowed down by name, by where they come from, and by both together; a browser in which
somebody has logged in before is counted for itself, whatever others do at its address or to its
name. Source: OWASP, *Slow Down Online Guessing Attacks with Device Cookies*.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from lexiclass_console.access.guessing import Allowances
from lexiclass_core.access.settings import Account

_HASHER: Final = PasswordHasher()

# Held against it where there is no such account: both take as long.
_NOBODY: Final = _HASHER.hash("nobody has this password")

_LONGEST_NAME: Final = 200
_MOST_KEYS: Final = 10_000
_MOST_WAITING: Final = 30
_MOST_WAITING_OF_ONE: Final = 5


class TooManyAttempts(Exception):
    """Passwords come so often that none is looked at for a while.

    Attributes:
        wait_s: For how long.
    """

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"too many passwords: wait {wait_s:.0f} s")
        self.wait_s = wait_s


def hash_password(password: str) -> str:
    """Hash a password with Argon2id: RFC 9106, its parameters for machines with less memory."""
    return _HASHER.hash(password)


class _Queue:
    """Lets one password at a time be looked at, and a few wait, as each costs 64 MB and a core.

    Of these few are of one origin, so that none has all the room.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._waiting = Counter[str]()

    @asynccontextmanager
    async def turn(self, origin: str) -> AsyncIterator[None]:
        waiting = self._waiting
        if waiting.total() >= _MOST_WAITING or waiting[origin] >= _MOST_WAITING_OF_ONE:
            raise TooManyAttempts(1)
        waiting[origin] += 1
        try:
            async with self._lock:
                yield
        finally:
            waiting[origin] -= 1
            if not waiting[origin]:
                del waiting[origin]


class Passwords:
    """Says whether passwords are right."""

    def __init__(
        self, accounts: Mapping[str, Account], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        # Of a name from one address, of all names from it, of a name from all addresses together,
        # and of one browser.
        self._at_address = Allowances[tuple[str, str]](most=20, regained_s=36, most_keys=_MOST_KEYS)
        self._of_address = Allowances[str](most=100, regained_s=1, most_keys=_MOST_KEYS)
        self._of_name = Allowances[str](
            most=100, regained_s=12, most_keys=_MOST_KEYS, kept=frozenset(accounts)
        )
        self._in_browser = Allowances[str](most=20, regained_s=36, most_keys=_MOST_KEYS)
        self._strangers = _Queue()
        self._known = _Queue()

    async def is_right(self, name: str, password: str, address: str, browser: str = "") -> bool:
        """Whether this is the password of somebody.

        ``browser`` is what :meth:`remembered` gave their browser when they were there before.

        Raises:
            TooManyAttempts: After 20 wrong ones for this name from this address (or of IPv6 from
                the network of 64 bits that it is of, which one machine has for itself) and one
                more in 36 seconds, after 100 for whatever names from this address and one more
                each second, or after 100 for this name from anywhere and one more in 12. A
                browser that is known has 20 of its own, and one more in 36 seconds, whatever
                others do. So too where more wait to be looked at than there is room for: 30, and
                5 of them from one address or in one browser.
        """
        is_known = self._is_known(name, browser)
        origin = browser if is_known else _origin_of(address)
        async with (self._known if is_known else self._strangers).turn(origin):
            now = self._clock()
            named = name[:_LONGEST_NAME]
            if is_known:
                wait_s = self._in_browser.wait_s(origin, now)
            else:
                wait_s = max(
                    self._at_address.wait_s((named, origin), now),
                    self._of_address.wait_s(origin, now),
                    self._of_name.wait_s(named, now),
                )
            if wait_s > 0:
                raise TooManyAttempts(wait_s)
            stored = self._stored(name)
            against = _NOBODY if stored is None else stored
            right = await asyncio.to_thread(_verify, against, password) and stored is not None
            if right:
                return True
            if is_known:
                self._in_browser.spend(origin, now)
            else:
                self._at_address.spend((named, origin), now)
                self._of_address.spend(origin, now)
                self._of_name.spend(named, now)
            return False

    def remembered(self, name: str) -> str:
        """What a browser keeps in which somebody has logged in.

        It knows them by that until they have another password, and opens nothing.
        """
        number = secrets.token_urlsafe(16)
        return f"{number}.{self._mark(name, number)}"

    def _is_known(self, name: str, browser: str) -> bool:
        number, dot, mark = browser.partition(".")
        if not dot or self._stored(name) is None:
            return False
        return hmac.compare_digest(mark.encode(), self._mark(name, number).encode())

    def _mark(self, name: str, number: str) -> str:
        key = (self._stored(name) or "").encode()
        return hmac.new(key, f"browser {number} of {name}".encode(), hashlib.sha256).hexdigest()

    def _stored(self, name: str) -> str | None:
        account = self._accounts.get(name)
        if account is None or account.password_hash is None:
            return None
        return account.password_hash.get_secret_value()


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
