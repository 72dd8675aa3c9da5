"""The example of a third-party plugin, really installed and used from other processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "lexiclass-plugin-example"

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the example's wheel and install it, into a folder of its own."""
    target = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--no-index", "--target", target, EXAMPLE),
        ],
        check=True,
    )
    return target


@pytest.fixture
def lexiclass(tmp_path: Path) -> Command:
    """Run the command line in a process of its own, with something more on its path."""

    def run(*arguments: object, path: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ)
        if path is not None:
            environment["PYTHONPATH"] = str(path)
        return subprocess.run(
            [sys.executable, "-m", "lexiclass", *map(str, arguments)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.slow
def test_installing_it_is_all_it_takes(installed: Any, lexiclass: Any) -> None:
    listed = lexiclass("plugins", "list", "--json", path=installed)
    plugins = {(p["type"], p["name"]): p for p in json.loads(listed.stdout)}
    assert plugins["tokenizer", "characters"]["available"]
    assert plugins["classifier", "centroid"]["available"]
    without = {p["name"] for p in json.loads(lexiclass("plugins", "list", "--json").stdout)}
    assert not {"characters", "centroid"} & without


@pytest.mark.slow
def test_its_plugins_train_and_predict_and_are_needed_to_load(
    installed: Any, lexiclass: Any, tmp_path: Path
) -> None:
    words = {"de": "Schmetterling Freundschaft Zeitung", "fi": "perhonen ystävyys sanomalehti"}
    rows = [
        {"text": f"{word} {other}", "label": label}
        for label, text in words.items()
        for word in text.split()
        for other in text.split()
    ]
    (tmp_path / "names.jsonl").write_text("\n".join(map(json.dumps, rows)))
    trained = lexiclass(
        *("train", "names.jsonl", "model", "--json", "--features", "tfidf"),
        *("--tokenizer", "characters", "--classifier", "centroid"),
        *("--param", "longest=3", "--param", "shrink=0.1"),
        path=installed,
    )
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["documents"] == len(rows)

    texts = ("--text", "Freundschaftszeitung", "--text", "ystävyyslehti")
    predicted = lexiclass("predict", "model", *texts, path=installed)
    found = [json.loads(line) for line in predicted.stdout.splitlines()]
    assert [prediction["predicted_class"] for prediction in found] == ["de", "fi"]
    assert all(0.5 < prediction["confidence"] <= 1 for prediction in found)

    without = lexiclass("predict", "model", *texts)
    assert without.returncode == 2
    assert without.stderr.startswith("error: PLUGIN_NOT_FOUND: ")


@pytest.mark.slow
def test_its_parameters_are_checked(installed: Any, lexiclass: Any, tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("text,label\na,b\n")
    refused = lexiclass(
        *("train", "names.csv", "model", "--tokenizer", "characters", "--param", "longest=1"),
        path=installed,
    )
    assert refused.returncode == 2
    assert "shortest must not be longer than longest" in refused.stderr
