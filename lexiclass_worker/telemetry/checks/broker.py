"""Redis: whether it takes messages and results, and keeps them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from redis import Redis
from redis.exceptions import NoPermissionError, OutOfMemoryError, ResponseError

from lexiclass_core.addresses import RedisAddress
from lexiclass_worker.causes import cause_of
from lexiclass_worker.config import Settings, unverified_connections
from lexiclass_worker.telemetry.checks.outcome import Finding, Look, NotUsable, checked
from lexiclass_worker.telemetry.queues import connect

REMEDY: Final = "start Redis, or correct DRAMATIQ__BROKER_URL and DRAMATIQ__RESULT_BACKEND"

_KEPT_S: Final = 1
_OLDEST: Final = (6, 2)
_MUCH: Final = 0.9
_OF_REPLICAS: Final = (
    "lead DRAMATIQ__BROKER_URL to the master, or to Sentinels that know it (redis+sentinel://)"
)


@checked("redis", remedy=REMEDY)
def check_redis(settings: Settings) -> Look:
    """Whether the broker, and the result backend if it is another, can be written to.

    A replica, a Redis that is full, and one whose ACL has no place for our keys answer a PING.
    """
    for url, prefix in places(settings):
        with connect(url) as client:
            try:
                client.set(f"{prefix}:lexiclass:check", "", ex=_KEPT_S)
            except ResponseError as error:
                raise NotUsable(cause_of(error), _mended_by(error, settings, url)) from error
            if _info(client, "replication").get("role") == "slave":
                raise NotUsable("a replica that takes writes and loses them", _OF_REPLICAS)
    found = unverified_connections(settings)
    words = {found.get(f"DRAMATIQ__{name}", "") for name in ("BROKER_URL", "RESULT_BACKEND")}
    remedy = "give a rediss:// URL with ssl_ca_certs"
    findings = [Finding(each, remedy) for each in sorted(words - {""})]
    return Look("takes messages and keeps results", findings)


@checked("redis version", remedy=REMEDY)
def check_redis_version(settings: Settings) -> Look:
    """Whether Redis is as new as the scripts need it."""
    details, findings = [], []
    with _servers(settings) as servers:
        for info in (_info(client, "server") for client in servers):
            version = str(info.get("redis_version", ""))
            if not version:
                findings.append(_NOT_TOLD)
                continue
            details.append(version)
            if _numbers(version) < _OLDEST:
                found = f"Redis {version} is older than any that this release is tested with"
                findings.append(Finding(found, "install Redis 6.2 or newer"))
    return Look(" and ".join(dict.fromkeys(details)), findings)


@checked("redis persistence", remedy=REMEDY)
def check_redis_persistence(settings: Settings) -> Look:
    """Whether messages outlive Redis, and what it wrote last was written."""
    # Results are in rows as well: the broker alone matters.
    with connect(settings.dramatiq.broker_url.get_secret_value()) as client:
        info = _info(client, "persistence")
        if not info:
            return Look("", [_NOT_TOLD])
        findings = []
        if info.get("rdb_last_bgsave_status") == "err":
            findings.append(_failed("snapshot", "rdb_last_bgsave_status"))
        if info.get("aof_enabled") and "err" in {
            info.get("aof_last_write_status"), info.get("aof_last_bgrewrite_status")
        }:  # fmt: skip
            findings.append(_failed("append-only file", "aof_last_write_status"))
        if info.get("aof_enabled"):
            return Look("an append-only file", findings)
        return Look("", [*findings, _without_append_only(_snapshots(client))])


@checked("redis memory", remedy=REMEDY)
def check_redis_memory(settings: Settings) -> Look:
    """Whether Redis evicts messages, or is about to refuse them."""
    findings, details = [], []
    with _servers(settings) as servers:
        for info in (_info(client, "memory") for client in servers):
            if not info:
                return Look("", [_NOT_TOLD])
            policy = str(info.get("maxmemory_policy", ""))
            used, most = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
            details.append(policy)
            if policy.startswith("allkeys"):
                found = f"maxmemory-policy is {policy}, so messages can be evicted"
                findings.append(Finding(found, _NO_EVICTION))
            if most and used > _MUCH * most:
                found = f"{used / 2**20:,.0f} MiB of maxmemory's {most / 2**20:,.0f} are used"
                findings.append(Finding(found, f"{_MORE_MEMORY}: a full Redis takes no message"))
    return Look(" and ".join(dict.fromkeys(details)), list(dict.fromkeys(findings)))


def places(settings: Settings) -> tuple[tuple[str, str], ...]:
    """The URL of the broker and that of the result backend, and what keys begin with in each."""
    dramatiq = settings.dramatiq
    results = dramatiq.result_backend or dramatiq.broker_url
    return (
        (dramatiq.broker_url.get_secret_value(), dramatiq.namespace),
        (results.get_secret_value(), f"{dramatiq.namespace}-results"),
    )


_APPEND: Final = "set appendonly yes: redis-cli CONFIG SET appendonly yes, and in redis.conf"
_NO_EVICTION: Final = (
    "set noeviction: redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf"
)
_ROOM_ON_DISK: Final = "make room on the disk of Redis, and look into its log"
_MORE_MEMORY: Final = "raise maxmemory"
_NOT_TOLD: Final = Finding("this user may not ask Redis (INFO)", "ACL SETUSER ... +info")


def acl_of_keys(url: str, namespace: str) -> str:
    """The command that lets a URL's user use every key and channel."""
    user = RedisAddress.parse(url).options.get("username") or "default"
    return f"ACL SETUSER {user} ~{namespace} ~{namespace}:* ~{namespace}-results:* &{namespace}:*"


def _mended_by(error: ResponseError, settings: Settings, url: str) -> str:
    """What mends that a server which answers takes no writes."""
    if isinstance(error, NoPermissionError):
        # What else the user lacks the check of rights tells, which comes after this one.
        return f"{acl_of_keys(url, settings.dramatiq.namespace)} +set"
    if isinstance(error, OutOfMemoryError):
        return f"{_MORE_MEMORY}, or remove what else is in it"
    return _ROOM_ON_DISK if str(error).startswith("MISCONF") else REMEDY


def _failed(what: str, name: str) -> Finding:
    return Finding(
        f"the last {what} could not be written ({name})",
        _ROOM_ON_DISK,
    )


def _without_append_only(snapshots: str | None) -> Finding:
    """What is lost, as far as it is known when snapshots are taken."""
    if snapshots is None:
        found = "no append-only file is written, and this user may not ask whether snapshots are"
        return Finding(found, f"{_APPEND}; to see: ACL SETUSER ... +config|get")
    if not snapshots:
        found = (
            "nothing is written to a disk: after its restart tasks are sent again from their "
            "rows, and messages that no worker had seen are gone"
        )
        return Finding(found, _APPEND)
    found = "only snapshots are written: messages sent since the last one go with a crash"
    return Finding(found, _APPEND)


@contextmanager
def _servers(settings: Settings) -> Iterator[list["Redis"]]:
    """A client for each server: the broker, and the result backend if it has another URL."""
    clients = [connect(url) for url in dict.fromkeys(url for url, _ in places(settings))]
    try:
        yield clients
    finally:
        for client in clients:
            client.close()


def _info(client: "Redis", section: str) -> dict[str, Any]:
    """What a server says of itself; nothing where that cannot be asked."""
    try:
        return dict(client.info(section))
    except ResponseError:
        # What a worker does not need it need not be allowed, nor does a server have to have it.
        return {}


def _snapshots(client: "Redis") -> str | None:
    """When snapshots are taken; empty for never, None where that cannot be asked."""
    try:
        return str(client.config_get("save").get("save", ""))
    except ResponseError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
