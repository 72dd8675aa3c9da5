"""The Python examples of the documentation, run as a reader would run them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from lexiclass_worker.config import export_environment
from tests.support.house import House
from tests.support.workers import wait_until

ROOT = Path(__file__).parents[2]

# In this order: the first trains the model that the others use.
PAGES = ("README.md", "docs/TASKS_REFERENCE.md", "packages/lexiclass-core/README.md")
# All that they make.
TASKS = 20


def run_examples(page: str, environment: dict[str, str]) -> str:
    """Run a page's examples as one script. Returns what it prints."""
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    script = subprocess.run(
        [sys.executable, "-"],
        input="\n".join(blocks),
        env=export_environment(environment),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert script.returncode == 0, script.stderr
    return script.stdout


@pytest.mark.slow
def test_every_example_of_the_documentation_runs(own_house: House) -> None:
    # Readers have the default namespace, and the first project they make.
    environment = {**own_house.environment, "DRAMATIQ__NAMESPACE": "dramatiq"}
    project = own_house.project()
    assert (project.project_id, project.field_id, project.document_ids[0]) == (1, 1, 1)
    assert own_house.project(training=1, test=0).project_id == 2
    with own_house.worker(DRAMATIQ__NAMESPACE="dramatiq"):
        printed = {page: run_examples(page, environment) for page in PAGES}
        # A message that was sent raw has its row once a worker has seen it.
        wait_until(lambda: own_house.database.value("SELECT count(*) FROM task") >= TASKS)
        messages = own_house.database.rows("SELECT message_id FROM task ORDER BY id")
        tasks = [own_house.database.finished(row["message_id"]) for row in messages]

    for page in PAGES[1:]:
        assert "NOT_FOUND project 1 has no field 999" in printed[page]
    assert len(tasks) == TASKS
    for task in tasks:
        # What is meant to fail says so by its field, and what is cancelled by its key.
        expected = "failed" if task["request"].get("field_id") == 999 else "succeeded"
        if task["idempotency_key"] is not None:
            expected = "cancelled"
        assert task["status"] == expected, (task["type"], task["error"])
