"""Rows as no worker writes them: every page is there, with what can be read of them."""

import httpx
import pytest
from sqlalchemy import text

from lexiclass_core.db import SessionFactory

DEEP = "[" * 3_000 + "]" * 3_000
ODD = (
    "{}", "[]", "null", '"text"', "1e400", "9" * 5_000, DEEP, f'{{"a": {DEEP}}}',
)  # fmt: skip
# Beside these, what has the names that are read there, and other values.
ODD_IN = {
    "model_event.details": ('{"gates": [], "is_overridden": 1, "from": [], "to": 3}',),
    "model.metrics": (
        '{"evaluation": [], "test_set": [], "gate_figures": [], "reports": [], "error": 1}',
        '{"evaluation": {"accuracy": "high", "macro_f1": null}, "test_set": {"digest": "a"}}',
        '{"evaluation": {"acceptance": 1}, "test_set": {"digest": "a", "num_documents": "many"}}',
        '{"evaluation": {"accuracy": 1e400, "macro_f1": [1]}, "test_set": {"digest": "a"}}',
        '{"evaluation": {"accuracy": true, "macro_f1": {}}, "test_set": {"digest": "a"}}',
    ),
    "plugin_catalog.content": (
        (
            '{"plugins": [{"type": "classifier", "name": "x", "available": true, "parameters": '
            '{"properties": {"a": {"anyOf": [1, {"type": "integer", "minimum": "x"}]}, "b": 1}}}]}'
        ),
    ),
    "model.manifest": (
        '{"spec": {"classifier": ["x"], "classifier_params": 1}, "library_versions": {"a": {}}}',
    ),
    "label_suspect.reason": (
        '{"label_probability": 1e400, "suggested_probability": "NaN", "found_by": [null, {}]}',
    ),
    "task.error": ('{"code": [], "message": {"a": 1}, "details": [1], "retryable": "x"}',),
}
COLUMNS = (
    "model.metrics", "model.manifest", "model_event.details",
    "label_suspect.reason", "task.request", "task.result", "task.error", "document.metadata",
    "project.config", "audit_event.details", "prediction.metadata", "plugin_catalog.content",
    "worker.settings",
)  # fmt: skip
PAGES = ("/", "/tasks", "/tasks/1", "/projects", "/projects/1", "/fields/1", "/fields/1/suspects",
         "/fields/1/review",
         "/projects/1/documents", "/documents/1",
         "/settings", "/plugins", "/queues", "/activity?done=1")  # fmt: skip
PAGES_OF_VERSIONS = (
    "/fields/1", "/fields/1/versions/1", "/fields/1/compare?first=1&second=2", "/fields/1/train",
    "/fields/1/train?like=1", "/plugins",
)  # fmt: skip
ROWS = """
INSERT INTO project (id, name) VALUES (1, 'p');
INSERT INTO field (id, project_id, name) VALUES (1, 1, 'f');
INSERT INTO field_class (id, field_id, name) VALUES (1, 1, 'a'), (2, 1, 'b');
INSERT INTO document (id, project_id, content_path) VALUES (1, 1, '1.txt'), (2, 1, '2.txt');
INSERT INTO document_label (document_id, field_id, class_id) VALUES (1, 1, 1), (2, 1, 2);
INSERT INTO model (field_id, version, status) VALUES
  (1, 1, 'ready'), (1, 2, 'ready');
INSERT INTO model_event (field_id, version, action, done_by) VALUES (1, 1, 'promoted', 'anna');
INSERT INTO label_suspect
  (document_id, field_id, class_id, suggested_class_id, score, model_version)
  VALUES (1, 1, 1, 2, 0.5, 1);
INSERT INTO task (project_id, message_id, type, status) VALUES
  (1, 'm', 'train_field_model', 'retrying');
INSERT INTO task (project_id, message_id, type, status, request, result) VALUES
  (1, 'n', 'describe_document', 'succeeded', '{"project_id": 1, "document_id": 1}', '{}');
INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence, is_accepted)
  VALUES (1, 1, 1, 1, 0.5, false), (2, 1, 1, 1, 0.5, true);
INSERT INTO worker (name, host, pid, group_pid, queues, threads, version)
  VALUES ('w', 'h', 1, 1, '{training}', 2, '0.1.0');
INSERT INTO plugin_catalog (digest) VALUES ('d');
INSERT INTO audit_event (user_name, role, action, subject, outcome)
  VALUES ('anna', 'operator', 'task.cancel', 'task 1', 'done');
"""


@pytest.mark.slow_variants(2)
@pytest.mark.parametrize("column", COLUMNS)
async def test_no_row_of_others_takes_a_page_away(
    operator: httpx.AsyncClient, sessions: SessionFactory, column: str
) -> None:
    async with sessions.begin() as session:
        for statement in ROWS.split(";\n"):
            if statement.strip():
                await session.execute(text(statement))
    table, _, name = column.partition(".")
    for odd in (*ODD, *ODD_IN.get(column, ())):
        async with sessions.begin() as session:
            # Whoever may do anything changes what has ended, too.
            await session.execute(text("SET LOCAL session_replication_role = replica"))
            await session.execute(
                text(f"UPDATE {table} SET {name} = CAST(:odd AS jsonb)"),
                {"odd": odd},
            )
        for page in PAGES_OF_VERSIONS if table in {"model", "plugin_catalog"} else PAGES:
            assert (await operator.get(page)).status_code == 200, (odd[:80], page)
