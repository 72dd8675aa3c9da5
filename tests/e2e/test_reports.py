"""From an evaluation to its report, to predictions that count without a look: by real workers."""

import json
from pathlib import Path

import pytest

from tests.e2e.test_cli import cli_json, run_cli
from tests.support.corpora import make_text
from tests.support.house import House


def write_corpus(path: Path) -> Path:
    """120 documents, half of them for testing: enough to be certain of 90 %."""
    records = [
        {
            "text": make_text(label, number),
            "label": label,
            "split": "test" if number % 2 == 0 else "train",
        }
        for number in range(60)
        for label in ("animals", "vehicles")
    ]
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("group")
def test_what_an_evaluation_certifies_is_what_predictions_are_accepted_at(house: House) -> None:
    corpus = write_corpus(house.directory / "reported.jsonl")
    cli_json(house, "project", "import", str(corpus), "--name", "reported", "--field", "topic")
    where = ("reported", "topic")
    cli_json(house, "train", *where, "--features", "tfidf", "--wait")
    early = cli_json(house, "predict", *where, "--accept-at", "0.9", "--wait", status=1)
    assert early["error"]["code"] == "NO_CERTIFIED_THRESHOLD"

    evaluated = cli_json(house, "evaluate", *where, "--wait")["result"]
    said = cli_json(house, "models", "report", *where, "1")

    report = said["report"]
    assert said["location"] == f"{evaluated['report_path']}/report.html"
    assert Path(said["location"]).read_text().lower().startswith("<!doctype html>")
    assert report["accuracy"]["value"] == evaluated["metrics"]["accuracy"]
    certified = {each["target"]: each["threshold"] for each in report["acceptance"]["thresholds"]}
    assert certified[0.9] is not None
    shown = run_cli(house, "models", "report", *where, "1")
    assert report["verdict"] in " ".join(shown.stdout.split())

    predicted = cli_json(house, "predict", *where, "--accept-at", "0.9", "--wait")["result"]

    assert predicted["accept_from"] == certified[0.9]
    assert predicted["num_accepted"] + predicted["num_to_review"] == 120
    review = cli_json(house, "predictions", "list", *where, "--to-review", "--limit", "500")
    assert len(review) == predicted["num_to_review"]
    assert all(row["confidence"] <= certified[0.9] for row in review)
    for path in Path(evaluated["report_path"]).iterdir():
        path.write_text("damaged")
    damaged = run_cli(house, "models", "report", *where, "1")
    assert (damaged.returncode, damaged.stdout) == (1, "")
    assert "not as it was written" in damaged.stderr
