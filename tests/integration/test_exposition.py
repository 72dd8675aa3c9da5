"""The server of /metrics, /healthz and /readyz, as a process, beside real servers."""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.brokers.redis import RedisBroker
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from lexiclass_core.db import create_engine
from lexiclass_core.db.migrate import upgrade
from lexiclass_worker.config import Settings, export_environment
from lexiclass_worker.embedded import EmbeddedPostgres, EmbeddedRedis
from lexiclass_worker.telemetry.checks import DECIDING
from lexiclass_worker.telemetry.checks.broker import check_redis
from lexiclass_worker.telemetry.checks.database import check_postgresql
from lexiclass_worker.telemetry.checks.files import check_storage
from lexiclass_worker.telemetry.checks.outcome import Check, Probe, State
from lexiclass_worker.telemetry.exposition import ExpositionServer
from lexiclass_worker.telemetry.queues import QueueSource
from lexiclass_worker.telemetry.readiness import Readiness

SERVE = "import sys; from lexiclass_worker.telemetry.exposition import serve; sys.exit(serve())"

# Starts the server, says its process id, and ends without it when told to.
MASTER = f"""
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {SERVE!r}])
print(child.pid, flush=True)
sys.stdin.readline()
os._exit(9)
"""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(tmp_path_factory.mktemp("redis"), durable=False) as server:
        yield server


@pytest.fixture(scope="module")
def database_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), durable=False) as server:
        asyncio.run(_migrate(server.database_uri))
        yield server.database_uri


async def _migrate(uri: str) -> None:
    engine = create_engine(uri)
    await upgrade(engine)
    await engine.dispose()


async def _execute(uri: str, statement: str) -> None:
    engine = create_engine(uri)
    async with engine.begin() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


class Server:
    """What answers on the port."""

    def __init__(self, port: int, environment: dict[str, str], log: Path) -> None:
        self.port = port
        self.environment = environment
        self.log = log

    def get(self, path: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read().decode(), dict(response.getheaders())
        finally:
            connection.close()

    def get_json(self, path: str) -> tuple[int, Any]:
        status, body, _ = self.get(path)
        return status, json.loads(body)

    def value(self, name: str, **labels: str) -> float | None:
        for family in text_string_to_metric_families(self.get("/metrics")[1]):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE], env=self.environment, stderr=log
            )
        try:
            wait_until(self.answers, "the server answers")
            yield process
        finally:
            process.terminate()
            process.wait(120)

    def answers(self) -> bool:
        try:
            self.get("/healthz")
        except OSError:
            return False
        return True


def failed_sources(exposition: str) -> set[str]:
    return {
        sample.labels["source"]
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name == "lexiclass_scrape_errors" and sample.value == 1
    }


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def stopped_server(
    redis: EmbeddedRedis, database_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> Server:
    directory = tmp_path_factory.mktemp("exposition")
    port = free_port()
    variables = {
        "DRAMATIQ__BROKER_URL": redis.broker_url,
        "DATABASE_URI": database_uri,
        "STORAGE__BASE_PATH": str(directory / "data"),
        "METRICS__PORT": str(port),
        "METRICS__DIRECTORY": str(directory / "metrics"),
        "METRICS__EXPECTED_WORKERS": "training=4",
    }
    return Server(port, export_environment(variables), directory / "log")


@pytest.fixture(scope="module")
def server(stopped_server: Server) -> Iterator[Server]:
    with stopped_server.running():
        yield stopped_server


class TestPaths:
    def test_metrics_are_in_prometheus_format(self, server: Server) -> None:
        status, body, headers = server.get("/metrics")

        assert status == 200
        assert headers["Content-Type"].startswith("text/plain; version=")
        assert headers["Server"] == "lexiclass-worker"
        families = {family.name for family in text_string_to_metric_families(body)}
        assert {
            "lexiclass_tasks",
            "lexiclass_queue_messages",
            "lexiclass_scrape_errors",
        } <= families

    def test_a_query_does_not_change_the_path(self, server: Server) -> None:
        assert server.get("/healthz?from=probe")[0] == 200

    def test_head_has_the_headers_and_no_body(self, server: Server) -> None:
        status, body, headers = server.get("/healthz", method="HEAD")

        assert (status, body) == (200, "")
        assert int(headers["Content-Length"]) > 0

    def test_another_path_is_answered_with_those_there_are(self, server: Server) -> None:
        status, body = server.get_json("/")

        assert status == 404
        assert body["paths"] == ["/healthz", "/metrics", "/readyz"]

    def test_a_group_whose_master_lives_is_healthy(self, server: Server) -> None:
        assert server.get_json("/healthz") == (200, {"status": "alive"})


class TestTasks:
    def test_tasks_are_counted_by_status_and_type(self, server: Server, database_uri: str) -> None:
        rows = ["('m1', 'train_field_model', 'failed')", "('m2', 'train_field_model', 'failed')"]
        made_up = "('m3', 'made-up-5f2c', 'pending')"
        statement = (
            f"INSERT INTO task (message_id, type, status) VALUES {','.join(rows)}, {made_up}"
        )
        asyncio.run(_execute(database_uri, statement))

        assert server.value("lexiclass_tasks", status="failed", type="train_field_model") == 2
        assert server.value("lexiclass_tasks", status="started", type="index_documents") == 0
        assert server.value("lexiclass_tasks", status="pending", type="unknown") == 1
        assert "made-up" not in server.get("/metrics")[1]

    def test_a_paused_queue_shows(self, server: Server, database_uri: str) -> None:
        assert server.value("lexiclass_queue_paused", queue="training") == 0
        asyncio.run(_execute(database_uri, "INSERT INTO queue_pause (queue) VALUES ('training')"))
        assert server.value("lexiclass_queue_paused", queue="training") == 1
        assert server.value("lexiclass_queue_paused", queue="indexing") == 0

    def test_workers_are_counted_by_the_queues_they_listen_to(
        self, server: Server, database_uri: str
    ) -> None:
        assert server.value("lexiclass_workers", queue="training") == 0
        insert = (
            "INSERT INTO worker (name, host, pid, group_pid, queues, threads, version, seen_at) "
            "VALUES ('{}', 'h', 1, 1, '{{training}}', 2, '0', now() - interval '{} s')"
        )
        for name, age in (("a", 0), ("b", 1), ("silent", 60)):
            asyncio.run(_execute(database_uri, insert.format(name, age)))
        try:
            assert server.value("lexiclass_workers", queue="training") == 2
            assert server.value("lexiclass_workers", queue="indexing") == 0
            assert server.value("lexiclass_workers_silent", queue="training") == 1
            assert server.value("lexiclass_workers_silent", queue="indexing") == 0
            assert server.value("lexiclass_workers_expected", queue="training") == 4
            assert server.value("lexiclass_workers_expected", queue="indexing") is None
        finally:
            asyncio.run(_execute(database_uri, "DELETE FROM worker"))
        asyncio.run(_execute(database_uri, "DELETE FROM queue_pause"))

    def test_what_waits_and_what_is_abandoned_is_told_by_queue(
        self, server: Server, database_uri: str
    ) -> None:
        columns = "message_id, type, queue, status, queued_at, not_before, next_attempt_at"
        hours = "now() - interval '{} h'"
        waiting = [
            ("w1", "pending", hours.format(3), hours.format(2), "NULL"),
            ("w2", "retrying", hours.format(9), "NULL", hours.format(1)),
            ("w3", "pending", hours.format(9), "'infinity'", "NULL"),
            ("w4", "succeeded", hours.format(9), "NULL", "NULL"),
        ]
        for key, status, *moments in waiting:
            asyncio.run(
                _execute(
                    database_uri,
                    f"INSERT INTO task ({columns}) VALUES ('{key}', 'train_field_model', "
                    f"'training', '{status}', {', '.join(moments)})",
                )
            )
        lapsed = (
            "INSERT INTO task (message_id, type, queue, status, lease_owner, lease_expires_at) "
            "VALUES ('a', 'train_field_model', 'training', 'started', 'gone', now()), "
            "('b', 'train_field_model', 'training', 'started', 'here', now() + interval '9 s')"
        )
        asyncio.run(_execute(database_uri, lapsed))
        try:
            name = "lexiclass_queue_oldest_due_task_wait_seconds"
            assert 7_200 <= (server.value(name, queue="training") or 0) < 10_800
            assert server.value(name, queue="indexing") == 0
            assert server.value("lexiclass_tasks_abandoned", queue="training") == 1
            assert server.value("lexiclass_tasks_abandoned", queue="indexing") == 0
        finally:
            asyncio.run(_execute(database_uri, "DELETE FROM task"))

    def test_models_that_serve_are_told_by_age_and_accuracy(
        self, server: Server, database_uri: str
    ) -> None:
        assert server.value("lexiclass_serving_models") == 0
        assert server.value("lexiclass_serving_model_age_seconds", statistic="max") is None
        add = (
            "WITH p AS (INSERT INTO project (name, last_indexed_at) "
            "VALUES ('p', now() - interval '3 d') RETURNING id), "
            "f AS (INSERT INTO field (project_id, name) SELECT id, n FROM p, "
            "unnest(ARRAY['a', 'b', 'c']) n RETURNING id, name) "
            "INSERT INTO model (field_id, version, status, accuracy, trained_at) "
            "SELECT f.id, m.version, m.status, m.accuracy, now() - m.age FROM f JOIN (VALUES "
            "('a', 1, 'ready', 0.5, interval '9 d'), ('a', 2, 'ready', 0.7, interval '1 d'), "
            "('a', 3, 'failed', 0.1, interval '0 d'), ('b', 1, 'ready', NULL, interval '5 d')"
            ") AS m(name, version, status, accuracy, age) USING (name)"
        )
        asyncio.run(_execute(database_uri, add))
        try:
            assert server.value("lexiclass_fields") == 3
            assert server.value("lexiclass_serving_models") == 2
            assert server.value("lexiclass_indexed_projects") == 1
            ages = [
                server.value("lexiclass_serving_model_age_seconds", statistic=each) or 0
                for each in ("min", "max")
            ]
            assert [round(age / 86_400) for age in ages] == [1, 5]
            assert server.value("lexiclass_serving_model_accuracy", statistic="max") == 0.7
            assert server.value("lexiclass_serving_model_accuracy", statistic="min") == 0.7
            age_s = server.value("lexiclass_index_age_seconds", statistic="median") or 0
            assert round(age_s / 86_400) == 3
        finally:
            asyncio.run(_execute(database_uri, "DELETE FROM project"))

    def test_the_last_backup_is_told_once_there_is_one(
        self, server: Server, database_uri: str
    ) -> None:
        assert server.value("lexiclass_backup_last_success_timestamp_seconds") is None
        add = (
            "INSERT INTO backup (name, created_at) VALUES ('old', '2026-01-01T00:00Z'), "
            "('last', '2026-01-02T00:00Z'), ('older', '2025-01-01T00:00Z')"
        )
        asyncio.run(_execute(database_uri, add))
        try:
            made_at = server.value("lexiclass_backup_last_success_timestamp_seconds")
            assert made_at == datetime(2026, 1, 2, tzinfo=UTC).timestamp()
        finally:
            asyncio.run(_execute(database_uri, "DELETE FROM backup"))

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("table", "hidden"),
        [("task", {"postgresql", "waits"}), ("model", {"models"}), ("worker", {"workers"})],
    )
    def test_a_table_that_does_not_answer_costs_what_is_read_of_it_only(
        self, server: Server, database_uri: str, table: str, hidden: set[str]
    ) -> None:
        def fails(sources: set[str]) -> None:
            # On a busy machine others may take longer than a scrape may, now and then.
            wait_until(
                lambda: failed_sources(server.get("/metrics")[1]) == sources, f"{sources} fail"
            )

        async def scrape_while_locked() -> None:
            engine = create_engine(database_uri)
            async with engine.begin() as connection:
                await connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
                await asyncio.to_thread(fails, hidden)
            await engine.dispose()

        asyncio.run(scrape_while_locked())
        fails(set())


class TestQueues:
    @pytest.fixture
    def broker(self, redis: EmbeddedRedis) -> Iterator[RedisBroker]:
        broker = RedisBroker(url=redis.broker_url, middleware=[], maintenance_chance=0)
        broker.declare_queue("training")
        yield broker
        broker.flush_all()
        broker.client.connection_pool.disconnect()

    def test_states_and_age_are_those_of_redis(self, server: Server, broker: RedisBroker) -> None:
        def send(age_s: float, delay: int | None = None) -> None:
            message: dramatiq.Message[Any] = dramatiq.Message(
                queue_name="training",
                actor_name="train_field_model",
                args=(),
                kwargs={},
                options={},
                message_timestamp=int((time.time() - age_s) * 1000),
            )
            broker.enqueue(message, delay=delay)

        for sent_ago_s in (900, 800, 700, 600, 500, 400):
            send(sent_ago_s)
        for _ in range(4):
            send(0, delay=60_000)
        consumer = broker.consume("training", prefetch=3, timeout=100)
        first = next(consumer)
        assert first is not None
        consumer.nack(first)

        def messages(state: str) -> float | None:
            return server.value("lexiclass_queue_messages", queue="training", state=state)

        assert messages("ready") == 3
        assert messages("in_progress") == 2
        assert messages("delayed") == 4
        assert messages("dead") == 1
        age_name = "lexiclass_queue_oldest_message_age_seconds"
        age_s = server.value(age_name, queue="training")
        assert age_s is not None
        # Of the two that are older, one is in progress and one is dead.
        assert 600 <= age_s < 700
        assert server.value(age_name, queue="indexing") == 0

    def test_an_old_message_put_back_at_the_end_is_the_oldest(
        self, redis: EmbeddedRedis, broker: RedisBroker
    ) -> None:
        for body in (b'{"message_timestamp": 9e12}', b"no message", b'{"message_timestamp": 1000}'):
            broker.do_enqueue("training", body, body)

        source = QueueSource(Settings(dramatiq={"broker_url": redis.broker_url}).dramatiq)

        before = time.time()
        age_s = source.read_states()["training"].oldest_age_s
        # It was sent in the first second of 1970.
        assert before - 1 <= age_s <= time.time() - 1


class TestReadiness:
    def test_it_is_ready_when_all_three_answer(self, server: Server) -> None:
        status, body = server.get_json("/readyz")

        assert (status, body["status"], body["down"]) == (200, "ready", [])
        assert [check["name"] for check in body["checks"]] == list(DECIDING)

    def test_it_names_redis_while_that_is_down_and_recovers(
        self, server: Server, redis: EmbeddedRedis
    ) -> None:
        port, url = redis.port, redis.broker_url
        redis.stop()
        try:
            wait_until(lambda: server.get("/readyz")[0] == 503, "it is not ready")
            status, body = server.get_json("/readyz")
            assert (status, body["down"]) == (503, ["redis"])
            assert server.value("lexiclass_check_up", check="redis") == 0
            assert server.value("lexiclass_check_up", check="storage") == 1
            reason = body["checks"][0]["reason"]
            assert "ConnectionError" in reason
            assert str(port) in reason

            assert server.get("/metrics")[0] == 200
            assert server.value("lexiclass_scrape_errors", source="redis") == 1
            assert server.value("lexiclass_queue_messages", queue="training", state="dead") is None
            assert server.value("lexiclass_tasks", status="failed", type="index_documents") == 0
            assert server.get("/healthz")[0] == 200
        finally:
            redis.start()
        assert redis.broker_url == url
        wait_until(lambda: server.get("/readyz")[0] == 200, "it is ready again")
        assert server.value("lexiclass_scrape_errors", source="redis") == 0

    def test_secrets_are_in_no_answer_and_no_line(
        self, server: Server, redis: EmbeddedRedis, database_uri: str
    ) -> None:
        output = server.log.read_text() + server.get("/readyz")[1]
        for url in (redis.broker_url, database_uri):
            password = url.rpartition("@")[0].rpartition(":")[2]
            assert len(password) > 8
            assert password not in output


class TestChecks:
    def test_a_wrong_password_is_named_and_not_shown(
        self, redis: EmbeddedRedis, database_uri: str, tmp_path: Path
    ) -> None:
        user, _, rest = database_uri.rpartition("@")
        wrong = f"{user.rpartition(':')[0]}:wrong-password@{rest}"
        settings = Settings(
            database_uri=wrong,
            dramatiq={"broker_url": f"redis://:wrong-password@127.0.0.1:{redis.port}/0"},
            storage={"base_path": str(tmp_path)},
        )

        checks = {
            check.name: check for check in (probe.look(settings) for probe in DECIDING.values())
        }

        assert [checks[name].ok for name in ("redis", "postgresql", "storage")] == [
            *(False, False, True)
        ]
        assert "password" in checks["redis"].reason
        assert "password" in checks["postgresql"].reason
        assert "wrong-password" not in str(checks)

    @pytest.mark.slow
    def test_a_server_that_never_answers_is_given_up(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            address = f"127.0.0.1:{silent.getsockname()[1]}"
            settings = Settings(
                database_uri=f"postgresql+asyncpg://lexi@{address}/lexi",
                dramatiq={"broker_url": f"redis://{address}/0"},
            )
            for check in (check_redis, check_postgresql):
                assert not check(settings).ok

    def test_a_database_that_is_not_set_is_said(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)  # where no demo has left its settings
        assert "DATABASE_URI is not set" in check_postgresql(Settings()).reason

    @pytest.mark.parametrize("base", ["{}/new/folder", "file://{}/new/folder", "memory://new{}"])
    def test_storage_that_can_be_written_is_fine_and_left_as_it_was(
        self, base: str, tmp_path: Path
    ) -> None:
        check = check_storage(Settings(storage={"base_path": base.format(tmp_path)}))

        assert check.ok, check.reason
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []

    @pytest.mark.parametrize("base", ["{}/file/folder", "file://{}/file/folder", "nonsense://{}"])
    def test_storage_that_cannot_be_written_says_why(self, base: str, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        check = check_storage(Settings(storage={"base_path": base.format(tmp_path)}))

        assert not check.ok
        assert check.reason


@pytest.mark.slow
def test_a_check_that_hangs_neither_holds_up_the_answer_nor_piles_up() -> None:
    answer = threading.Event()
    started = []

    def hang(settings: Settings) -> Check:
        started.append(1)
        answer.wait(60)
        return Check("disk", State.PASS)

    probes = {
        "disk": Probe(look=hang),
        "rest": Probe(look=lambda settings: Check("rest", State.PASS)),
        "files": Probe(look=lambda settings: Check("files", State.PASS), needs="disk"),
    }
    readiness = Readiness(Settings(), probes=probes, deadline_s=0.1)

    disk, rest, files = readiness.check()
    assert (disk.ok, disk.found, rest.ok) == (False, "no answer within 0.1 seconds", True)
    assert (files.state, disk.name in files.found) == (State.SKIPPED, True)
    assert readiness.check() == [disk, rest, files]  # of the same second, not asked again
    time.sleep(1)
    assert not readiness.check()[0].ok
    assert len(started) == 1

    answer.set()
    wait_until(lambda: all(check.ok for check in readiness.check()), "it answers again")
    # What it said too late is not told for what is now.
    assert len(started) > 1


class TestServer:
    def test_a_master_that_is_gone_makes_the_group_unhealthy(self) -> None:
        with ExpositionServer(Settings(metrics={"port": free_port()}), (), master_pid=1) as server:
            response = server.health()

        assert response.status == 503
        assert "master process 1 is gone" in json.loads(response.body)["reason"]

    @pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
    def test_it_listens_on_ipv6(self) -> None:
        settings = Settings(metrics={"host": "::1", "port": free_port()})
        with ExpositionServer(settings, (), master_pid=os.getppid()) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            connection = http.client.HTTPConnection("::1", settings.metrics.port, timeout=60)
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
            connection.close()
            server.shutdown()
            thread.join()

        assert status == 200


class TestLife:
    @pytest.mark.slow
    def test_a_port_in_use_is_named_and_ends_the_process_with_an_error(
        self, server: Server
    ) -> None:
        second = subprocess.run(
            [sys.executable, "-c", SERVE],
            env=server.environment,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )

        assert second.returncode == 1
        line = json.loads(second.stderr.splitlines()[-1])
        assert line["level"] == "ERROR"
        assert f"METRICS__PORT {server.port}" in line["message"]
        assert "in use" in line["message"]
        assert server.answers()

    @pytest.mark.slow
    def test_wrong_settings_are_named(self, stopped_server: Server) -> None:
        environment = {**stopped_server.environment, "METRICS__PORT": "many"}
        process = subprocess.run(
            [sys.executable, "-c", SERVE],
            env=environment,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )

        assert process.returncode == 1
        assert b"METRICS__PORT" in process.stderr

    @pytest.mark.slow
    def test_sigterm_ends_it_in_order(self, stopped_server: Server) -> None:
        server = Server(free_port(), dict(stopped_server.environment), stopped_server.log)
        server.environment["METRICS__PORT"] = str(server.port)
        with server.running() as process:
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0
        assert not server.answers()

    @pytest.mark.slow
    def test_it_does_not_outlive_its_master(self, stopped_server: Server) -> None:
        server = Server(free_port(), dict(stopped_server.environment), stopped_server.log)
        server.environment["METRICS__PORT"] = str(server.port)
        with server.log.open("ab") as log:
            master = subprocess.Popen(
                [sys.executable, "-c", MASTER],
                env=server.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert master.stdout is not None
        pid = int(master.stdout.readline())
        wait_until(server.answers, "the server answers")

        master.communicate("\n", timeout=60)

        wait_until(lambda: not server.answers(), "it is gone")
        wait_until(lambda: not is_alive(pid), "its process is gone")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Nobody may be there to reap it where tests run without an init.
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
