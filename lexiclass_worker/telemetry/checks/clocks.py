"""The clocks of this machine, of Redis and of PostgreSQL."""

import asyncio
import time
from typing import Final

from sqlalchemy import text

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.database import open_connection
from lexiclass_worker.telemetry.checks.outcome import Finding, Look, NotUsable, checked
from lexiclass_worker.telemetry.queues import connect

_MUCH_S: Final = 2.0
_NOW: Final = text("SELECT extract(epoch FROM clock_timestamp())::float8")
_REMEDY: Final = "synchronize the clocks: timedatectl set-ntp true, or chronyc makestep"


@checked("redis clock", remedy=_REMEDY)
def check_redis_clock(settings: Settings) -> Look:
    """How far the clock of Redis is from this machine's."""
    with connect(settings.dramatiq.broker_url.get_secret_value()) as client:
        client.ping()
        before_s = time.time()
        seconds, microseconds = client.time()
        after_s = time.time()
    return _judge("Redis", seconds + microseconds / 1e6, before_s, after_s, settings)


@checked("postgresql clock", remedy=_REMEDY)
def check_postgresql_clock(settings: Settings) -> Look:
    """How far the clock of PostgreSQL is from this machine's."""

    async def ask() -> tuple[float, float, float]:
        async with open_connection(settings) as connection:
            await connection.execute(_NOW)
            before_s = time.time()
            theirs_s = float(await connection.scalar(_NOW) or 0)
            return theirs_s, before_s, time.time()

    return _judge("PostgreSQL", *asyncio.run(ask()), settings)


def _judge(
    whose: str, theirs_s: float, before_s: float, after_s: float, settings: Settings
) -> Look:
    """What a clock that was read between two moments of ours says.

    Raises:
        NotUsable: If workers take each other for dead by it.
    """
    ahead_s = theirs_s - min(max(theirs_s, before_s), after_s)
    if abs(ahead_s) < _MUCH_S:
        return Look(f"less than {_MUCH_S:g} s from this machine's")
    way = "ahead of" if ahead_s > 0 else "behind"
    found = f"{whose} is {abs(ahead_s):.1f} s {way} this machine"
    heartbeat_s = settings.dramatiq.heartbeat_timeout_ms / 1000
    if abs(ahead_s) < heartbeat_s:
        return Look(
            "", [Finding(f"{found}: messages that are to wait come early or late", _REMEDY)]
        )
    raise NotUsable(
        f"{found}, more than DRAMATIQ__HEARTBEAT_TIMEOUT_MS ({heartbeat_s:g} s): workers with "
        "different clocks take each other for dead",
        _REMEDY,
    )
