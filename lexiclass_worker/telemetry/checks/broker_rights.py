"""Redis: whether its user may do all that workers do, with each key they use."""

import re
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

from redis import Redis
from redis.exceptions import NoPermissionError

from lexiclass_core.events import live_key
from lexiclass_core.queue_config import QueueName
from lexiclass_core.queueing.redis_keys import QueueKeys
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.broker import REMEDY, acl_of_keys, places
from lexiclass_worker.telemetry.checks.outcome import Look, NotUsable, checked, listing
from lexiclass_worker.telemetry.queues import connect

Command = tuple[Any, ...]

_COMMAND: Final = re.compile(r"run the '(?P<name>[^']+)' command")
_SECONDS: Final = 1

# Asks for the right to change a key, and no worker runs it.
_OURS: Final = "setrange"

# None of these finds what it should change, but Redis looks for the right to before.
_READ: Final = {
    "list": ("LLEN",),
    "hash": ("HLEN",),
    "zset": ("ZCARD",),
    "string": ("GET",),
    "set": ("SCARD",),
}
_CHANGE: Final = {
    "list": ("LSET", 2**31, ""),
    "hash": ("HDEL", "lexiclass:check"),
    "zset": ("ZREM", "lexiclass:check"),
    "string": ("SETRANGE", 0, ""),
    "set": ("SREM", "lexiclass:check"),
}


@checked("redis rights", remedy=REMEDY)
def check_redis_rights(settings: Settings) -> Look:
    """Whether the user may read and change every key, and run every command, that workers need."""
    (broker, namespace), (results, prefix) = places(settings)
    commands = [*_of_queues(namespace), *_of_workers(namespace)]
    refused = _refused(broker, commands) | _refused(results, list(_of_results(prefix)))
    if not refused:
        return Look("every key and command that workers use")
    raise NotUsable(_words(refused), _remedy(broker, namespace, refused))


def _of_queues(namespace: str) -> Iterator[Command]:
    """What reads and changes each key of each queue, and leaves it as it is."""
    for queue in QueueName:
        for keys in (QueueKeys(namespace, queue), QueueKeys(namespace, queue).delayed):
            kinds = {**keys.types, keys.acks("lexiclass-check").decode(): "set"}
            for key, kind in kinds.items():
                for name, *arguments in (_READ[kind], _CHANGE[kind]):
                    yield (name, key, *arguments)


def _of_workers(namespace: str) -> Iterator[Command]:
    """Every other command of the broker's scripts and clients, with keys of this check alone."""
    key = f"{namespace}:lexiclass:check:{uuid4().hex}"
    of_list, of_hash, of_sorted, of_set = (f"{key}:{kind}" for kind in "lhzs")
    yield ("EVAL", "return redis.call('llen', KEYS[1])", 1, of_list)
    yield ("EVALSHA", "0" * 40, 1, of_list)
    yield ("SCRIPT", "LOAD", "return 1")
    yield ("RPUSH", of_list, "a", "b")
    yield ("LRANGE", of_list, 0, 0)
    yield ("LINDEX", of_list, 0)
    yield ("LSET", of_list, 0, "c")
    yield ("LREM", of_list, 1, "c")
    yield ("LPOP", of_list)
    yield ("HSET", of_hash, "a", "b")
    for name in ("HGET", "HMGET", "HEXISTS", "HSTRLEN"):
        yield (name, of_hash, "a")
    yield ("HSCAN", of_hash, 0)
    yield ("ZADD", of_sorted, 1, "a")
    yield ("ZSCORE", of_sorted, "a")
    yield ("ZRANGE", of_sorted, 0, 0)
    yield ("ZREVRANGE", of_sorted, 0, 0)
    yield ("ZRANGEBYLEX", of_sorted, "-", "+", "LIMIT", 0, 1)
    yield ("ZRANGEBYSCORE", of_sorted, "-inf", "+inf", "LIMIT", 0, 1)
    yield ("ZREVRANGEBYSCORE", of_sorted, "+inf", "-inf", "LIMIT", 0, 1)
    yield ("ZPOPMIN", of_sorted)
    yield ("SADD", of_set, "a")
    yield ("SMEMBERS", of_set)
    yield ("SPOP", of_set)
    yield ("TYPE", of_list)
    yield ("EXISTS", of_list)
    yield ("SET", key, "", "EX", _SECONDS)
    yield ("GET", key)
    yield ("UNLINK", key, of_list, of_hash, of_sorted, of_set)
    yield ("PUBLISH", live_key(namespace, 0), "")


def _of_results(prefix: str) -> Iterator[Command]:
    key = f"{prefix}:lexiclass:check:{uuid4().hex}"
    yield ("DEL", key)
    yield ("LPUSH", key, "")
    yield ("PEXPIRE", key, 1000 * _SECONDS)
    yield ("RPOPLPUSH", key, key)
    yield ("LINDEX", key, 0)
    yield ("DEL", key)


def _refused(url: str, commands: list[Command]) -> dict[Command, str]:
    """The commands that a user may not run, with what Redis says."""
    with connect(url) as client:
        answers = _answers(client, commands)
    refused = {}
    for command, answer in zip(commands, answers, strict=True):
        if isinstance(answer, NoPermissionError) and f"'{_OURS}'" not in str(answer):
            refused[command] = str(answer)
    return refused


def _answers(client: "Redis", commands: list[Command]) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
    return list(pipeline.execute(raise_on_error=False))


def _words(refused: dict[Command, str]) -> str:
    """Which commands and which keys are refused, by name."""
    names, keys = _sorted_out(refused)
    parts = [f"commands {listing(names)}"] if names else []
    parts += [f"keys and channels {listing(keys)}"] if keys else []
    return f"Redis refuses (NOPERM) {' and '.join(parts)}"


def _remedy(url: str, namespace: str, refused: dict[Command, str]) -> str:
    names, keys = _sorted_out(refused)
    whole = acl_of_keys(url, namespace)
    return "".join((whole if keys else whole.partition(" ~")[0], *(f" +{name}" for name in names)))


def _sorted_out(refused: dict[Command, str]) -> tuple[list[str], list[str]]:
    names, keys = [], []
    for command, answer in refused.items():
        if found := _COMMAND.search(answer):
            names.append(found["name"])
        else:
            keys.append(str(command[3] if command[0].startswith("EVAL") else command[1]))
    return list(dict.fromkeys(names)), list(dict.fromkeys(keys))
