"""Connecting to a database that several hosts may have, of which some may not answer.

asyncpg's time limit is for all hosts together: one that says nothing, as a machine that has lost
its power, takes all of it, and nobody asks the next.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import asyncpg

# What one host alone can be: where it was found last is where it is looked for first.
_UNIQUE: Final = frozenset({"primary", "read-write"})
_WISHES: Final = {"prefer-standby": ("standby", "any")}
_DEFAULT_TIMEOUT_S: Final = 60.0

Place = tuple[str, int]

_found: Final[dict[tuple[Place, ...], Place]] = {}


async def connect(**options: Any) -> "asyncpg.Connection[Any]":
    """Connect as :func:`asyncpg.connect` does, and give each host its part of the time.

    Raises:
        OSError: No host answers in time; and whatever else asyncpg raises.
    """
    hosts: str | Sequence[str] | None = options.get("host")
    if hosts is None or isinstance(hosts, str) or len(hosts) < 2:
        return await asyncpg.connect(**options)
    places = tuple(zip(hosts, options["port"], strict=True))
    wish = options.get("target_session_attrs") or "any"
    # A sort keeps the order of all others.
    ordered = sorted(places, key=lambda place: place != _found.get(places))
    attempts = [
        (each, place)
        for each in _WISHES.get(wish, (wish,))
        for place in (ordered if wish in _UNIQUE else places)
    ]
    clock = asyncio.get_running_loop().time
    until_s = clock() + (options.get("timeout") or _DEFAULT_TIMEOUT_S)
    no_answer: Exception | None = None
    no_match: Exception | None = None
    for number, (each, (host, port)) in enumerate(attempts):
        chosen = {"host": host, "port": port, "target_session_attrs": each}
        chosen["timeout"] = max(0.0, until_s - clock()) / (len(attempts) - number)
        try:
            connection = await asyncpg.connect(**{**options, **chosen})
        except asyncpg.TargetServerAttributeNotMatched as error:
            no_match = error
        except (OSError, asyncpg.CannotConnectNowError) as error:
            no_answer = error
        else:
            _found[places] = host, port
            return connection
    raise no_answer or no_match or AssertionError("no host was asked")
