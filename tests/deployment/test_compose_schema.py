"""Docker Compose's own reading of the compose files, schema and references included."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.deployment

ROOT = Path(__file__).parents[2]
COMPOSE = Path(sys.executable).with_name("docker-compose")


def read(*files: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            COMPOSE, *(f"--file={file}" for file in files), "--profile=*",
            "config", "--format=json",
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip


def services(*files: str, **variables: str) -> dict[str, dict[str, Any]]:
    done = read(*files, **variables)
    assert done.returncode == 0, done.stderr
    assert "level=warning" not in done.stderr, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    return found


def test_the_development_stack_is_one_that_compose_runs() -> None:
    found = services("compose.yaml")
    assert found["worker-training"]["build"]["args"] == {"EXTRAS": "console"}


def test_the_production_stack_builds_nothing_and_signs() -> None:
    found = services(
        "compose.yaml", "compose.prod.yaml",
        WORKER_IMAGE="registry.example/lexiclass-worker:1", BACKUPS="/srv/backups",
    )  # fmt: skip
    ours = [name for name in found if name.startswith("worker-") or name in {"migrate", "console"}]
    assert len(ours) == 5
    for name in ours:
        assert "build" not in found[name]
        assert found[name]["image"] == "registry.example/lexiclass-worker:1"
        assert "DATABASE_URI_FILE" in found[name]["environment"]
        assert "DRAMATIQ__SIGNING_KEYS_FILE" in found[name]["environment"]
        assert found[name]["read_only"]


def test_the_production_stack_says_what_it_lacks() -> None:
    done = read("compose.yaml", "compose.prod.yaml")
    assert done.returncode != 0
    assert "WORKER_IMAGE" in done.stderr
