"""Passwords and keys of odd characters, and everything that a run with them leaves behind."""

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import boto3
import psutil
import pytest
import redis
import typer.main
from pydantic import BaseModel, SecretStr
from sqlalchemy.engine import make_url

from lexiclass_worker.cli import app
from lexiclass_worker.config import Settings
from lexiclass_worker.embedded import EmbeddedServers
from lexiclass_worker.embedded.process import free_port
from tests.support.house import House, open_house
from tests.support.object_store import ObjectStore
from tests.support.secrets import ODD_PASSWORDS, odd_password, traces
from tests.support.workers import wait_until

CLI = Path(sys.executable).with_name("lexiclass-worker")

POSTGRES, REDIS, STORE = ODD_PASSWORDS[1], ODD_PASSWORDS[0], odd_password(3)


def encoded(password: str) -> str:
    return quote(password, safe="")


def raw(password: str) -> str:
    """As it may stand in a URL: what can be taken for nothing else is not encoded."""
    return "".join(quote(each, safe="") if each in "/#?[]@% \n" else each for each in password)


@contextmanager
def role(database_uri: str, password: str) -> Iterator[str]:
    """The URI with a place for the password, which is another one for a while."""
    url = make_url(database_uri)

    def change(now: str, then: str) -> None:
        async def connect_and_change() -> None:
            connection = await asyncpg.connect(
                host=url.host, port=url.port, user=url.username, password=now, database="postgres"
            )
            await connection.execute(f"ALTER ROLE lexiclass PASSWORD {literal(then)}")
            await connection.close()

        asyncio.run(connect_and_change())

    change(url.password or "", password)
    try:
        yield f"postgresql+asyncpg://{url.username}:{{}}@{url.host}:{url.port}/{url.database}"
    finally:
        change(password, url.password or "")


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def user(broker_url: str, password: str) -> Iterator[str]:
    """The URL with another user, who has a password."""
    with redis.Redis.from_url(broker_url) as client:
        client.execute_command("ACL", "SETUSER", "odd", "on", f">{password}", "~*", "&*", "+@all")
        port = client.connection_pool.connection_kwargs["port"]
        try:
            yield f"redis://odd:{{}}@127.0.0.1:{port}/0"
        finally:
            client.execute_command("ACL", "DELUSER", "odd")


@dataclass
class Watch:
    """What was seen of a run.

    Attributes:
        secrets: What must be in none of it.
        seen: Texts, by where they come from.
    """

    secrets: Sequence[str]
    seen: dict[str, str] = field(default_factory=dict)

    def note(self, where: str, text: str) -> None:
        self.seen[where] = self.seen.get(where, "") + text

    def leaks(self) -> dict[str, list[str]]:
        found = {
            where: [piece for secret in self.secrets for piece in traces(text, secret)]
            for where, text in self.seen.items()
        }
        return {where: pieces for where, pieces in found.items() if pieces}


@contextmanager
def watched_processes(watch: Watch, ancestor: int) -> Iterator[None]:
    """Note every command line of the machine, and the environment of the sandbox's processes."""
    stopped = threading.Event()

    def look() -> None:
        while not stopped.wait(0.2):
            for process in psutil.process_iter():
                try:
                    line = "\0".join(process.cmdline())
                    if line not in watch.seen.get("command lines", ""):
                        watch.note("command lines", f"{line}\n")
                except psutil.Error:
                    continue
            note_children()

    def note_children() -> None:
        try:
            children = psutil.Process(ancestor).children(recursive=True)
            for child in children:
                # The fork server and what it has started.
                if "sandbox.fork_server" in " ".join(child.cmdline()):
                    watch.note("environments", "\n".join(map(str, child.environ().items())))
        except psutil.Error:
            return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def run(
    watch: Watch, environment: dict[str, str], directory: Path, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """A command in a terminal of its own."""
    done = subprocess.run(
        [CLI, *arguments],
        cwd=directory,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        check=False,
    )
    watch.note(" ".join(arguments), done.stdout + done.stderr)
    return done


# Every command, but those that run for ever, which have tests of their own.
NOT_RUN = {"run", "standalone", "demo"}
SUCCEEDING = [
    "check", "check --json", "config show", "config show --json", "db upgrade", "db current",
    "project import corpus --name shop --field topic --test-fraction 0.25", "project list",
    "project add shop corpus",
    "index shop --wait", "train shop topic --wait", "train shop topic --wait --json",
    "evaluate shop topic --wait", "predict shop topic --wait", "predict shop topic --text words",
    "documents list shop", "documents show shop 1", "similar shop 1", "duplicates shop",
    "predictions list shop topic", "predictions export shop topic --output predictions.csv",
    "labels list shop topic", "labels export shop topic --output labels.jsonl",
    "labels suspects shop topic", "labels set shop topic 1 animals", "labels remove shop topic 2",
    "models list shop topic", "models show shop topic 1", "models report shop topic 2",
    "models gates shop topic", "console link", "models compare shop topic 1 2",
    "models history shop topic", "models serve shop topic newest", "models promote shop topic 1",
    "models rollback shop topic", "models retire shop topic 1", "models reinstate shop topic 1",
    "models prune shop topic --dry-run",
    "tasks list", "tasks list --json", "tasks show 1", "tasks watch 1", "workers list",
    "queues list", "queues pause bulk", "queues resume bulk", "queues drain bulk --timeout 5",
    "queues resume bulk", "reconcile", "plugins list", "plugins describe svm",
    "documents delete shop 3 --yes --wait",
    "project import corpus --name other --field topic", "project delete other --yes --wait",
]  # fmt: skip
REFUSED = [
    "train shop topic --classifier nothing --wait", "predict shop nothing", "tasks cancel 1",
    "tasks retry 1", "tasks submit nothing", "dead-letters list", "dead-letters show x",
    "dead-letters replay --all", "dead-letters purge --all --yes", "tasks show 999", "models sign",
    "console hash-password",
]  # fmt: skip


def leaves(command: Any, path: str = "") -> Iterator[str]:
    if not (commands := getattr(command, "commands", None)):
        yield path
        return
    for name in commands:
        yield from leaves(commands[name], f"{path} {name}".strip())


def test_every_command_is_among_those_that_are_looked_at() -> None:
    looked_at = [*SUCCEEDING, *REFUSED]
    missing = [
        leaf
        for leaf in leaves(typer.main.get_command(app))
        if leaf not in NOT_RUN and not any(f"{each} ".startswith(f"{leaf} ") for each in looked_at)
    ]
    assert missing == []


def other_secrets() -> dict[str, str]:
    """Every secret setting that is no address, such as a key to sign with, by its variable."""

    def names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
        for name, entry in model.model_fields.items():
            kinds = (entry.annotation, *getattr(entry.annotation, "__args__", ()))
            if isinstance(entry.annotation, type) and issubclass(entry.annotation, BaseModel):
                yield from names(entry.annotation, f"{prefix}{name.upper()}__")
            elif SecretStr in kinds:
                yield f"{prefix}{name.upper()}"

    addresses = {"DATABASE_URI", "DRAMATIQ__BROKER_URL", "DRAMATIQ__RESULT_BACKEND"}
    found = sorted(set(names(Settings)) - addresses)
    # Keys are separated by blanks.
    return {name: odd_password(10 + at).replace(" ", "") for at, name in enumerate(found)}


def as_setting(name: str, secret: str) -> str:
    """What holds a secret in a variable."""
    if name != "CONSOLE__ACCOUNTS":
        return secret
    return json.dumps({"anna": {"role": "operator", "password_hash": f"$argon2id${secret}"}})


def write_corpus(directory: Path) -> None:
    for label, words in (("animals", "cat dog horse"), ("vehicles", "car train ship")):
        folder = directory / "corpus" / label
        folder.mkdir(parents=True)
        for number in range(12):
            (folder / f"{number}.txt").write_text(f"{words} number {number} of {label}")


@pytest.fixture
def odd_house(
    database_uri: str, broker_url: str, object_store: ObjectStore, tmp_path: Path
) -> Iterator[House]:
    """A house whose servers and store have odd passwords."""
    write_corpus(tmp_path)
    with (
        role(database_uri, POSTGRES) as odd_uri,
        user(broker_url, REDIS) as odd_url,
        open_house(
            odd_uri.format(encoded(POSTGRES)),
            odd_url.format(encoded(REDIS)),
            tmp_path,
            STORAGE__BASE_PATH=f"{object_store.url}/{tmp_path.name}",
            AWS_SECRET_ACCESS_KEY=STORE,
            FSSPEC_S3="{}",
            **{name: as_setting(name, secret) for name, secret in other_secrets().items()},
        ) as house,
    ):
        # The same password as somebody would type it, which is another spelling.
        house.environment["DRAMATIQ__BROKER_URL"] = odd_url.format(raw(REDIS))
        yield house


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_no_secret_is_left_anywhere(
    odd_house: House, object_store: ObjectStore, servers: EmbeddedServers
) -> None:
    house = odd_house
    watch = Watch([POSTGRES, REDIS, STORE, *other_secrets().values()])
    with (
        house.worker(LOG_LEVEL="DEBUG", LOG_FORMAT="json") as group,
        house.worker(LOG_LEVEL="DEBUG", LOG_FORMAT="text"),
    ):
        with watched_processes(watch, group.process.pid):
            ran = {
                command: run(watch, house.environment, house.directory, *command.split())
                for command in (*SUCCEEDING, *REFUSED)
            }
            failed = {each: ran[each] for each in SUCCEEDING if ran[each].returncode}
            assert {name: done.stdout + done.stderr for name, done in failed.items()} == {}
            # Not signed, so it becomes a dead letter.
            house.send("index_documents", project_id=1)
        for path in ("metrics", "readyz", "healthz"):
            with urllib.request.urlopen(f"{group.metrics_address}/{path}", timeout=10) as answer:
                watch.note(path, answer.read().decode())
        disturb(house, servers)
        done = run(watch, house.environment, house.directory, "index", "shop", "--wait")
        assert done.returncode == 0, done.stdout + done.stderr
    watch.note("logs", "".join(log.read_text() for log in house.directory.glob("*.log")))
    assert watch.seen["logs"].count("\n") > 50
    note_servers(watch, house, object_store)
    note_refused_connections(watch, house)

    assert watch.seen["environments"]
    assert watch.leaks() == {}


def disturb(house: House, servers: EmbeddedServers) -> None:
    """Lose every connection, and be refused for a while."""
    with redis.Redis.from_url(servers.broker_url) as client:
        client.execute_command("ACL", "SETUSER", "odd", "off")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        # By the one connection that stays.
        house.database.execute("ALTER ROLE lexiclass PASSWORD 'another'")
        house.database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        time.sleep(3)
        # A colon begins a parameter otherwise.
        escaped = literal(POSTGRES).replace(":", r"\:")
        house.database.execute(f"ALTER ROLE lexiclass PASSWORD {escaped}")
        client.execute_command("ACL", "SETUSER", "odd", "on")


def note_servers(watch: Watch, house: House, object_store: ObjectStore) -> None:
    """Every row, key and object."""
    tables = house.database.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert len(tables) > 8
    for table in tables:
        rows = house.database.rows(f"SELECT to_jsonb(t)::text AS row FROM {table['tablename']} t")
        watch.note(f"table {table['tablename']}", "\n".join(row["row"] for row in rows))
    client = house.sender.broker.client
    for key in client.scan_iter("*"):
        watch.note("Redis", f"{key!r}\n{value_of(client, key)!r}\n")
    store = boto3.client("s3")
    listed = store.list_objects_v2(Bucket="bucket", Prefix=house.directory.name)["Contents"]
    for each in listed:
        content = store.get_object(Bucket="bucket", Key=each["Key"])["Body"].read()
        watch.note(f"object {each['Key']}", content.decode(errors="replace"))


def value_of(client: Any, key: bytes) -> Any:
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"list": lambda name: client.lrange(name, 0, -1),
        b"zset": lambda name: client.zrange(name, 0, -1, withscores=True),
    }
    return readers[client.type(key)](key)


def note_refused_connections(watch: Watch, house: House) -> None:
    """Commands and workers whose servers refuse them, do not answer, or have odd addresses."""
    uri, url = house.environment["DATABASE_URI"], house.environment["DRAMATIQ__BROKER_URL"]
    closed = str(free_port())
    endpoint = f"http://odd:{raw(STORE)}@127.0.0.1:{closed}"
    variants = [
        {"DATABASE_URI": uri.replace("lexiclass:", "even:")},
        {"DATABASE_URI": uri.replace(str(make_url(uri).port), closed)},
        {"DATABASE_URI": uri.replace(encoded(POSTGRES), POSTGRES)},
        {"DATABASE_URI": uri.replace("postgresql+asyncpg", "mysql")},
        {"DATABASE_URI": f"{uri}?sslmode=verify-full&sslrootcert=system"},
        {"DATABASE_URI": f"{uri}?sslpassword={encoded(REDIS)}&sslmodus=x"},
        {"DATABASE_URI_FILE": POSTGRES, "DATABASE_URI": ""},
        {"DRAMATIQ__BROKER_URL": url.replace("odd:", "even:")},
        {"DRAMATIQ__BROKER_URL": url.replace(raw(REDIS), REDIS)},
        {"DRAMATIQ__BROKER_URL": url.replace("redis://", "rediss://")},
        {"DRAMATIQ__BROKER_URL": url.replace("/0", f"/0?password={encoded(REDIS)}&x=1")},
        {"DRAMATIQ__BROKER_URL": f"redis://:{encoded(REDIS)}@127.0.0.1:{closed}/0"},
        {"AWS_ENDPOINT_URL_S3": endpoint},
        {"STORAGE__BASE_PATH": f"sftp://odd:{raw(STORE)}@127.0.0.1/x"},
    ]
    for variant in variants:
        environment = {**house.environment, **variant}
        for command in ("check", "config show", "index 1"):
            run(watch, environment, house.directory, *command.split())
        started = subprocess.Popen(
            [CLI, "run"],
            cwd=house.directory,
            env={**os.environ, **environment, "METRICS__PORT": str(free_port())},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = started.communicate(timeout=4)
        except subprocess.TimeoutExpired:
            started.terminate()
            output, _ = started.communicate(timeout=60)
        watch.note(f"run with {sorted(variant)}", output)


# The first has all printable ASCII characters.
@pytest.mark.slow
@pytest.mark.parametrize("spelt", [encoded, raw])
@pytest.mark.parametrize(
    "password",
    [ODD_PASSWORDS[0], *(pytest.param(each, marks=pytest.mark.slow) for each in ODD_PASSWORDS[1:])],
)
def test_commands_log_in_with_whatever_password(
    database_uri: str, broker_url: str, tmp_path: Path, password: str, spelt: Any
) -> None:
    watch = Watch([password])
    with role(database_uri, password) as odd_uri, user(broker_url, password) as odd_url:
        environment = {
            "DATABASE_URI": odd_uri.format(spelt(password)),
            "DRAMATIQ__BROKER_URL": odd_url.format(spelt(password)),
            "STORAGE__BASE_PATH": str(tmp_path / "storage"),
        }
        done = run(watch, environment, tmp_path, "check")
        assert done.returncode == 0, done.stdout + done.stderr
        run(watch, environment, tmp_path, "config", "show")
    assert watch.leaks() == {}


@pytest.mark.slow
def test_a_standalone_keeps_its_passwords_in_files_of_its_account(tmp_path: Path) -> None:
    # Not below pytest's folder, which other accounts may not enter.
    import tempfile

    with tempfile.TemporaryDirectory(prefix="lexiclass-secrets-") as name:
        folder = Path(name)
        settings = {"LOG_LEVEL": "DEBUG"}
        with (folder / "out").open("w") as output:
            process = subprocess.Popen(
                [CLI, "standalone", "--directory", folder / "data"],
                cwd=folder,
                env={**{k: v for k, v in os.environ.items() if "__" not in k}, **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        watch = Watch([])
        try:
            with watched_processes(watch, process.pid):
                wait_until(lambda: "Ready." in (folder / "out").read_text(), timeout_s=120)
                printed = (folder / "out").read_text()
                exports = dict(
                    line.removeprefix("export ").split("=", 1)
                    for line in printed.splitlines()
                    if line.startswith("export ")
                )
                elsewhere = tmp_path / "elsewhere"
                elsewhere.mkdir()
                done = run(watch, exports, elsewhere, "check")
                assert done.returncode == 0, done.stdout
        finally:
            process.terminate()
            process.wait(60)
        watch.note("printed", printed)
        for log in (folder / "data").rglob("*.log"):
            watch.note(str(log), log.read_text(errors="replace"))
        watch.secrets = [
            (folder / "data" / server / "password").read_text() for server in ("redis", "postgres")
        ]
        logs = {log: log.stat().st_mode & 0o777 for log in (folder / "data" / "logs").glob("*.log")}
        modes = {
            path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777
            for path in folder.rglob("*")
            if path.is_file() and any(each.encode() in path.read_bytes() for each in watch.secrets)
        }
    assert watch.leaks() == {}
    assert {"data/database_uri", "data/broker_url"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert len(logs) >= 2
    assert set(logs.values()) == {0o600}
