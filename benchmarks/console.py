"""How soon the console's pages answer before a million tasks: ``make bench-console``.

A page is asked for over ASGI in this process, whose database is a real PostgreSQL on this machine;
what is timed is everything but the network and the browser. Tasks, documents, labels and versions
are rows as workers leave them, written by SQL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import httpx
from sqlalchemy import text

from lexiclass_console import create_console
from lexiclass_console.access.users import COOKIE
from lexiclass_core.access.tokens import User, open_session
from lexiclass_core.db import create_engine, create_session_factory
from lexiclass_core.db.migrate import upgrade
from lexiclass_core.statuses import Role
from lexiclass_worker.embedded import embedded_servers

RESULTS: Final = Path(__file__).parent / "results" / "console.json"
_LIMIT_MS: Final = 100

ROWS: Final = (
    (
        "INSERT INTO project (name, index_status) SELECT 'project ' || n, 'indexed' "
        "FROM generate_series(1, 1000) n"
    ),
    (
        "INSERT INTO document (project_id, index_status, external_id) "
        "SELECT CASE WHEN n % 10 = 0 THEN 1 + n % 1000 ELSE 1 END, "
        "CASE WHEN n % 250000 = 1 THEN 'failed' ELSE 'indexed' END, 'item-' || n "
        "FROM generate_series(1, :documents) n"
    ),
    "INSERT INTO field (project_id, name) VALUES (1, 'subject')",
    (
        "INSERT INTO field_class (field_id, name) SELECT 1, 'class ' || n "
        "FROM generate_series(1, 100) n"
    ),
    (
        "INSERT INTO document_label (document_id, field_id, class_id, is_training_data) "
        "SELECT id, 1, 1 + id % 100, id % 5 > 0 FROM document WHERE project_id = 1 LIMIT 200000"
    ),
    (
        "INSERT INTO label_suspect (document_id, field_id, class_id, suggested_class_id, score, "
        "model_version) SELECT document_id, 1, class_id, 1 + class_id % 100, "
        "(document_id * 7919 % 100000) / 1e5, 100 FROM document_label LIMIT 20000"
    ),
    # Of ten predictions seven are accepted; a third of the others are of unfamiliar documents.
    (
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence, "
        "is_accepted, metadata) SELECT id, 1, 1 + id % 100, 100, (id * 7919 % 100000) / 1e5, "
        "id % 10 < 7, jsonb_build_object('known_words', 40, 'familiarity', 0.5, 'unfamiliar', "
        "id % 10 = 9) FROM document WHERE project_id = 1"
    ),
    (
        "INSERT INTO model (field_id, version, status, accuracy, metrics, manifest, test_errors) "
        "SELECT 1, n, 'ready', 0.9, jsonb_build_object('test_set', jsonb_build_object('digest', "
        "'a', 'num_documents', 200000), 'evaluation', jsonb_build_object('accuracy', 0.9, "
        "'per_class_metrics', (SELECT jsonb_object_agg('class ' || c, jsonb_build_object("
        '\'f1_score\', 0.9)) FROM generate_series(1, 100) c))), \'{"spec": {"classifier": '
        '"svm", "classifier_params": {"C": 1.0}}}\', ARRAY(SELECT d * 10 + n % 7 FROM '
        "generate_series(1, 20000) d) FROM generate_series(1, 100) n"
    ),
    (
        "INSERT INTO model_event (field_id, version, action, done_by) SELECT 1, n, 'trained', 'm' "
        "FROM generate_series(1, 100) n"
    ),
    # Of a hundred tasks three have failed and one was cancelled; the last three thousand wait.
    (
        "INSERT INTO task (message_id, correlation_id, type, queue, project_id, status, attempts, "
        "error, queued_at, started_at, finished_at) "
        "SELECT 'm' || n, 'c' || n / 3, kind.type, kind.queue, 1 + n % 1000, "
        "CASE WHEN n > :tasks - 3000 THEN 'pending' WHEN n % 100 < 3 THEN 'failed' "
        "WHEN n % 100 = 3 THEN 'cancelled' ELSE 'succeeded' END, 1, "
        "CASE WHEN n <= :tasks - 3000 AND n % 100 < 4 THEN jsonb_build_object('code', "
        "(ARRAY['CRASHED', 'NO_DOCUMENTS', 'TIME_LIMIT', 'CANCELLED'])[1 + n % 4], 'message', 'm') "
        "END, now() - make_interval(secs => :tasks - n), "
        "CASE WHEN n <= :tasks - 3000 THEN now() - make_interval(secs => :tasks - n) END, "
        "CASE WHEN n <= :tasks - 3000 THEN now() - make_interval(secs => :tasks - n) END "
        "FROM generate_series(1, :tasks) n, LATERAL (SELECT "
        "(ARRAY['train_field_model', 'index_documents', 'predict_field_documents'])[1 + n % 3] "
        "AS type, "
        "(ARRAY['training', 'indexing', 'prediction'])[1 + n % 3] queue) kind"
    ),
    (
        "INSERT INTO task_event (task_id, event, attempt) SELECT id, 'started', 1 FROM task "
        "WHERE id % 10 = 0"
    ),
)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with TemporaryDirectory(prefix="lexiclass-bench-") as name:
        servers_in = Path(name)
        with embedded_servers(servers_in, durable=False) as servers:
            found = asyncio.run(
                measure(
                    servers.database_uri,
                    servers.broker_url,
                    {"tasks": options.tasks, "documents": options.documents},
                    options.rounds,
                )
            )
    results = {
        "tasks": options.tasks,
        "documents": options.documents,
        "rounds": options.rounds,
        "median_ms": found,
    }
    for page, median_ms in found.items():
        mark = "" if median_ms <= _LIMIT_MS else f"  more than {_LIMIT_MS} ms"
        print(f"{median_ms:7.1f} ms  {page}{mark}")
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")


async def measure(
    database_uri: str, broker_url: str, numbers: dict[str, int], rounds: int
) -> dict[str, float]:
    """The median time of each page, in milliseconds."""
    engine = create_engine(database_uri, command_timeout_s=None)
    sessions = create_session_factory(engine)
    await upgrade(engine)
    async with sessions.begin() as session:
        for statement in ROWS:
            names = {name: value for name, value in numbers.items() if f":{name}" in statement}
            await session.execute(text(statement), names)
        token = await open_session(session, User("anna", Role.ADMIN), lasts_s=3600)
    async with engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text("VACUUM ANALYZE"))
    await engine.dispose()
    console = create_console(database_uri=database_uri, broker_url=broker_url)
    middle, documents = numbers["tasks"] // 2, numbers["documents"]
    pages = (
        "/", "/tasks", f"/tasks?before={middle}", "/tasks?status=failed", "/tasks?status=started",
        "/tasks?status=retrying", "/tasks?type=index_documents&status=cancelled",
        "/tasks?type=erase_documents", "/tasks?queue=bulk", "/tasks?error_code=TIME_LIMIT",
        "/tasks?error_code=MODEL_CORRUPT", "/tasks?project_id=1", "/tasks?project_id=5000",
        "/tasks?project_id=500&status=failed", f"/tasks?text=c{middle}", "/tasks?text=nothing",
        f"/tasks/{middle}", f"/tasks/{numbers['tasks']}", "/queues", "/dead-letters", "/projects",
        "/projects/1", "/fields/1", "/fields/1/versions/50", "/fields/1/compare?first=1&second=3",
        "/fields/1/train", "/activity",
        "/projects/1/documents", f"/projects/1/documents?cursor={documents // 2}",
        "/projects/1/documents?text=item-5", "/projects/1/documents?text=item",
        "/projects/1/documents?text=nothing", "/projects/1/documents?index_status=failed",
        "/projects/1/documents?field_id=1&label=labelled",
        "/projects/1/documents?field_id=1&label=unlabelled",
        "/projects/1/documents?field_id=1&label=test",
        "/projects/1/documents?field_id=1&class_id=7",
        "/projects/1/documents?field_id=1&class_id=7&label=test",
        "/projects/1/documents?text=item-1&field_id=1&class_id=7",
        "/projects/1/documents?field_id=1&class_id=7&index_status=failed",
        f"/documents/{documents // 2 + 1}", "/fields/1/review", "/fields/1/review?kind=familiar",
        "/fields/1/review?from=0.9", "/fields/1/review?class_id=9", "/fields/1/review?class_id=10",
        "/fields/1/review?after=f,0.5,1&show=500", "/fields/1/suspects", "/settings", "/plugins",
        "/find?text=nothing",
    )  # fmt: skip
    async with (
        console.router.lifespan_context(console),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app=console),
            base_url="http://localhost",
            follow_redirects=True,
        ) as client,
    ):
        client.cookies.set(COOKIE, token)
        return {page: await _median_ms(client, page, rounds) for page in pages}


async def _median_ms(client: httpx.AsyncClient, page: str, rounds: int) -> float:
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        answer = await client.get(page)
        times.append(1000 * (time.perf_counter() - began))
        answer.raise_for_status()
    return round(statistics.median(times[1:]), 1)


if __name__ == "__main__":
    main()
