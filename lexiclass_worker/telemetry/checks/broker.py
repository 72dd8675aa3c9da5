"""Redis: whether it takes messages and results, and keeps them."""

from typing import Final

from redis import Redis
from redis.exceptions import NoPermissionError

from lexiclass_worker.config import Settings, unverified_connections
from lexiclass_worker.setting_groups import DramatiqSettings
from lexiclass_worker.telemetry.checks.outcome import Check, attempt
from lexiclass_worker.telemetry.queues import connect

_KEPT_S: Final = 1


def check_redis(settings: Settings) -> Check:
    """Whether the broker, and the result backend if it is another, can be written to.

    A replica, a Redis that is full, and one whose ACL has no place for our keys answer a PING.
    """

    def look() -> str:
        warnings = _write(settings.dramatiq)
        found = unverified_connections(settings)
        warnings |= {
            found.get(f"DRAMATIQ__{name}", "") for name in ("BROKER_URL", "RESULT_BACKEND")
        }
        return "; ".join(sorted(warnings - {""}))

    return attempt("redis", settings, look)


def _write(settings: DramatiqSettings) -> set[str]:
    places = (
        (settings.broker_url, settings.namespace),
        (settings.result_backend or settings.broker_url, f"{settings.namespace}-results"),
    )
    warnings = set()
    for url, prefix in places:
        with connect(url.get_secret_value()) as client:
            client.set(f"{prefix}:lexiclass:check", "", ex=_KEPT_S)
            warnings.add(_eviction(client))
    return warnings


def _eviction(client: "Redis") -> str:
    try:
        policy = client.info("memory").get("maxmemory_policy", "")
    except NoPermissionError:
        # What a worker does not need it need not be allowed.
        return ""
    if not policy.startswith("allkeys"):
        return ""
    return f"maxmemory-policy is {policy}: messages can be evicted, set noeviction"
