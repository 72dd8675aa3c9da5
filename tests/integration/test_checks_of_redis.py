"""What the checks say of a real Redis that lacks something."""

import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr

from lexiclass_core.queue_config import QueueName
from lexiclass_worker.config import Settings
from lexiclass_worker.embedded.binaries import find_redis
from lexiclass_worker.telemetry.checks import broker
from lexiclass_worker.telemetry.checks.broker import (
    check_redis,
    check_redis_memory,
    check_redis_persistence,
    check_redis_version,
)
from lexiclass_worker.telemetry.checks.broker_rights import check_redis_rights
from lexiclass_worker.telemetry.checks.clocks import check_redis_clock
from lexiclass_worker.telemetry.checks.outcome import State
from tests.support.checks import configured, failed, passed, warned
from tests.support.workers import wait_until

ALL = "~dramatiq ~dramatiq:* ~dramatiq-results:* &dramatiq:* +@all"


@contextmanager
def limited(settings: Settings, rules: str) -> Iterator[Settings]:
    """Settings with a user of the broker who has these rights alone."""
    url = settings.dramatiq.broker_url.get_secret_value()
    name = f"limited-{uuid.uuid4().hex}"
    with redis.Redis.from_url(url) as client:
        client.execute_command(
            "ACL", "SETUSER", name, "on", ">x", "resetkeys", "resetchannels", *rules.split()
        )
        dramatiq = settings.dramatiq.model_copy(
            update={"broker_url": SecretStr(f"redis://{name}:x@{url.rpartition('@')[2]}")}
        )
        try:
            yield settings.model_copy(update={"dramatiq": dramatiq})
        finally:
            client.execute_command("ACL", "DELUSER", name)


LACKS = {
    "a command of a script": (f"{ALL} -zrangebylex", "commands zrangebylex", "+zrangebylex"),
    "scripts": (f"{ALL} -eval -evalsha -script", "commands eval, evalsha, script", "+evalsha"),
    "a queue": (
        "~dramatiq ~dramatiq:indexing* ~dramatiq:lexiclass* ~dramatiq-results:* &* +@all",
        "dramatiq:training",
        "~dramatiq:*",
    ),
    "results": ("~dramatiq ~dramatiq:* &* +@all", "dramatiq-results:", "~dramatiq-results:*"),
    "channels": (
        "~dramatiq ~dramatiq:* ~dramatiq-results:* +@all",
        "dramatiq:lexiclass:live:0",
        "&dramatiq:*",
    ),
}


@pytest.mark.parametrize("what", LACKS)
def test_each_right_that_a_user_lacks_is_named_with_the_rule_that_gives_it(
    settings: Settings, what: str
) -> None:
    rules, named, rule = LACKS[what]
    with limited(settings, rules) as lacking:
        check = check_redis_rights(lacking)

    assert named in failed(check)
    assert check.remedy.startswith("ACL SETUSER limited-")
    assert rule in check.remedy.split()


def test_looking_for_rights_changes_no_key(settings: Settings, broker_url: str) -> None:
    with redis.Redis.from_url(broker_url) as client:
        for queue in QueueName:
            client.rpush(f"dramatiq:{queue}", "a", "b")
            client.hset(f"dramatiq:{queue}.msgs", "a", "1")
            client.zadd(f"dramatiq:{queue}.XQ", {"c": 1})
            client.set(f"dramatiq:{queue}.twice", "3")
        before = {key: client.dump(key) for key in client.scan_iter("dramatiq*")}

        passed(check_redis_rights(settings))

        assert {key: client.dump(key) for key in client.scan_iter("dramatiq*")} == before


def test_a_key_of_another_type_is_no_missing_right(settings: Settings, broker_url: str) -> None:
    with redis.Redis.from_url(broker_url) as client:
        client.set("dramatiq:indexing", "somebody's")

    passed(check_redis_rights(settings))


def test_a_replica_that_takes_writes_is_down(settings: Settings, broker_url: str) -> None:
    with configured(broker_url, **{"replica-read-only": "no"}) as client:
        client.replicaof("127.0.0.1", 1)
        try:
            check = check_redis(settings)
        finally:
            client.replicaof("NO", "ONE")

    assert "replica" in failed(check)
    assert "redis+sentinel://" in check.remedy


def test_what_is_written_to_no_disk_or_now_and_then_is_warned_of(
    settings: Settings, broker_url: str
) -> None:
    with configured(broker_url, appendonly="no", save=""):
        assert "nothing is written to a disk" in warned(check_redis_persistence(settings))
    with configured(broker_url, appendonly="no", save="3600 1"):
        check = check_redis_persistence(settings)
    assert "only snapshots" in warned(check)
    assert "CONFIG SET appendonly yes" in check.remedy
    assert "append-only" in passed(check_redis_persistence(settings))


NOT_TOLD = "no append-only file is written, and this user may not ask whether snapshots are"


def test_what_a_user_may_not_ask_is_not_claimed(settings: Settings, broker_url: str) -> None:
    with (
        configured(broker_url, appendonly="no", save=""),
        limited(settings, f"{ALL} -config") as lacking,
    ):
        check = check_redis_persistence(lacking)

    assert NOT_TOLD in warned(check)
    assert "+config|get" in check.remedy


def _listens(path: Path) -> bool:
    """Whether connections are taken at a socket, whose file is there before that."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def test_a_redis_without_the_command_is_no_redis_that_is_down(
    settings: Settings, tmp_path: Path
) -> None:
    options = ["--unixsocket", str(tmp_path / "socket"), "--port", "0", "--dir", str(tmp_path)]
    hidden = [word for name in ("CONFIG", "INFO") for word in ("--rename-command", name, "")]
    for names, expected in ((hidden[:3], NOT_TOLD), (hidden, "may not ask Redis (INFO)")):
        process = subprocess.Popen([find_redis().server, *options, *names])
        try:
            wait_until(lambda: _listens(tmp_path / "socket"), poll_s=0.01)
            url = SecretStr(f"unix://{tmp_path / 'socket'}")
            dramatiq = settings.dramatiq.model_copy(update={"broker_url": url})
            hiding = settings.model_copy(update={"dramatiq": dramatiq})
            assert expected in warned(check_redis_persistence(hiding))
            assert check_redis(hiding).ok
        finally:
            process.terminate()
            process.wait(60)


def test_a_snapshot_that_could_not_be_written_is_warned_of(
    settings: Settings, broker_url: str
) -> None:
    with configured(broker_url, dbfilename="a-folder.rdb", save="3600 1") as client:
        in_the_way = Path(str(client.config_get("dir")["dir"])) / "a-folder.rdb" / "with something"
        in_the_way.mkdir(parents=True)
        try:
            client.bgsave()
            wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")
            check = check_redis_persistence(settings)
            refused = check_redis(settings)
        finally:
            in_the_way.rmdir()
            in_the_way.parent.rmdir()
    with redis.Redis.from_url(broker_url) as client:
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok")

    assert "snapshot could not be written" in warned(check)
    assert "MISCONF" in failed(refused)
    assert "make room on the disk of Redis" in refused.remedy
    passed(check_redis_persistence(settings))


def test_a_memory_that_is_nearly_full_is_warned_of(settings: Settings, broker_url: str) -> None:
    with redis.Redis.from_url(broker_url) as client:
        used = client.info("memory")["used_memory"]
    with configured(broker_url, maxmemory=str(int(used * 1.05))):
        check = check_redis_memory(settings)

    assert "of maxmemory's" in warned(check)
    assert "raise maxmemory" in check.remedy


def test_a_version_that_is_too_old_is_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert passed(check_redis_version(settings))
    monkeypatch.setattr(broker, "_OLDEST", (999, 0))

    assert "is older" in warned(check_redis_version(settings))


def test_who_may_not_ask_is_told_so(settings: Settings) -> None:
    with limited(settings, f"{ALL} -info") as lacking:
        for check in (check_redis_version, check_redis_persistence, check_redis_memory):
            assert "+info" in warned(check(lacking))
        passed(check_redis(lacking))


@pytest.mark.parametrize(
    ("ahead_s", "state"), [(0, State.PASS), (5, State.WARN), (-5, State.WARN), (60, State.FAIL)]
)
def test_a_clock_that_is_off_is_told_by_how_much(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, ahead_s: int, state: State
) -> None:
    from time import time

    clock = "lexiclass_worker.telemetry.checks.clocks.time.time"
    monkeypatch.setattr(clock, lambda: time() + ahead_s)

    check = check_redis_clock(settings)

    assert check.state is state
    if ahead_s:
        assert ("behind" if ahead_s > 0 else "ahead of") in check.found
        assert "chronyc" in check.remedy
