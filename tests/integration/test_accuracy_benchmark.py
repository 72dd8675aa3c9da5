"""The benchmark that ``make bench-accuracy`` runs, on a corpus that takes no time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "accuracy.py"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rows = ["text,label,split"]
    for split, numbers in (("train", range(20)), ("test", range(20, 26))):
        for number in numbers:
            rows.append(f"goal match team {number},sports,{split}")
            rows.append(f"profit shares bank {number},business,{split}")
    path = tmp_path / "tiny.v1.csv"
    path.write_text("\n".join(rows))
    return path


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCHMARK, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_combination_is_measured_in_its_own_process(corpus: Any, tmp_path: Path) -> None:
    results = tmp_path / "results"
    done = run(corpus, "--only", "icu+[bt]*+svm", "--results", results)
    assert done.returncode == 0, done.stderr
    content = json.loads((results / "accuracy-tiny.v1.json").read_text())
    assert (content["num_training_documents"], content["num_test_documents"]) == (40, 12)
    names = {found["combination"] for found in content["runs"]}
    assert names == {"icu+bow+svm", "icu+tfidf+svm"}
    for found in content["runs"]:
        values = found["values"]
        assert values["accuracy"] == values["macro F1"] == 1.0
        assert 20 < values["peak MB"] < 4000
        assert 0 < values["model MB"] < 1
        assert values["train docs/s"] > 0
        assert found["combination"] in done.stdout
    assert "| icu+bow+svm | 1.000 |" in (results / "accuracy-tiny.v1.md").read_text()


def test_what_was_measured_before_on_the_same_documents_stays(corpus: Any, tmp_path: Path) -> None:
    def measured(*only: str) -> set[str]:
        done = run(corpus, "--limit", "10", "--results", tmp_path, "--only", *only)
        assert done.returncode == 0, done.stderr
        content = json.loads((tmp_path / "accuracy-tiny.v1-10.json").read_text())
        assert (content["num_training_documents"], content["num_test_documents"]) == (10, 12)
        return {found["combination"] for found in content["runs"]}

    assert measured("icu+bow+svm") == {"icu+bow+svm"}
    assert measured("icu+tfidf+svm", "icu+bow+svm") == {"icu+bow+svm", "icu+tfidf+svm"}
    corpus.write_text(corpus.read_text().replace("goal match team 0,sports,train", "a,sports,test"))
    with (tmp_path / "tiny.v1.csv").open("a") as file:
        file.write("\nanother,sports,train")
    done = run(corpus, "--limit", "10", "--results", tmp_path, "--only", "icu+bow+svm")
    content = json.loads((tmp_path / "accuracy-tiny.v1-10.json").read_text())
    assert done.returncode == 0
    assert content["num_test_documents"] == 13
    assert [found["combination"] for found in content["runs"]] == ["icu+bow+svm"]


def test_failures_are_rows_too(corpus: Any, tmp_path: Path) -> None:
    one_class = tmp_path / "one.csv"
    one_class.write_text("text,label,split\na,x,train\nb,x,train\nc,x,test\n")
    failed = run(one_class, "--only", "icu+bow+svm", "--results", tmp_path)
    assert failed.returncode == 0
    assert "NOT_ENOUGH_DOCUMENTS" in (tmp_path / "accuracy-one.md").read_text()
    slow = run(corpus, "--only", "icu+bow+svm", "--results", tmp_path, "--time-limit", "0")
    assert "icu+bow+svm" in slow.stdout
    assert "took more than 0 s" in slow.stdout


def test_an_unknown_combination_lists_those_there_are(corpus: Any) -> None:
    failed = run(corpus, "--only", "nothing*")
    assert failed.returncode == 1
    assert "icu+tfidf+svm" in failed.stderr
