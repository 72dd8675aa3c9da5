from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lexiclass import Pipeline, read_manifest
from lexiclass.cli import main
from tests.support.easy_corpus import MakeCorpus


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.status == 0, self.err
        return json.loads(self.out)

    def lines(self) -> list[Any]:
        assert self.status == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Result]


@pytest.fixture
def lexiclass(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command line in this process."""

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["lexiclass", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        code = caught.value.code or 0
        assert isinstance(code, int), code
        return Result(code, captured.out, captured.err)

    return run


def write_table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def table(tmp_path: Path, make_corpus: MakeCorpus) -> Path:
    """60 documents to learn from and 30 to test with."""
    rows = [
        {"text": text, "label": label, "split": split}
        for split, corpus in (("train", make_corpus()), ("test", make_corpus(10, seed=1)))
        for text, label in zip(*corpus, strict=True)
    ]
    return write_table(tmp_path / "corpus.csv", rows)


def test_a_model_is_trained_tested_and_used(
    lexiclass: Command, table: Path, tmp_path: Path, make_corpus: MakeCorpus
) -> None:
    model = tmp_path / "model"
    trained = lexiclass("train", table, model, "--features", "tfidf", "--json").json()
    assert (trained["documents"], trained["held_out"], trained["classes"]) == (60, 30, 3)
    assert trained["model_digest"] == read_manifest(model).model_digest
    assert list(trained["seconds"]) == ["tokenize", "features", "classifier"]

    metrics = lexiclass("evaluate", model, table, "--json").json()
    assert metrics["num_test_documents"] == 30
    assert metrics["accuracy"] > 0.9

    predictions = lexiclass("predict", model, table).lines()
    assert [p["document_id"] for p in predictions[:2]] == ["corpus.csv:2", "corpus.csv:3"]
    (text, *_), _ = make_corpus()
    expected = Pipeline.load(model).predict([text])
    first = predictions[0]
    assert first["predicted_class"] == expected.labels[0]
    assert first["confidence"] == max(first["scores"].values()) == expected.confidence[0]
    assert list(first["scores"]) == ["business", "science", "sports"]


def test_people_get_tables(lexiclass: Command, table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    trained = lexiclass("train", table, model)
    assert re.search(r"^held out +30$", trained.out, re.MULTILINE)
    assert re.search(r"^calibration documents +60$", trained.out, re.MULTILINE)
    tested = lexiclass("evaluate", model, table)
    assert "accuracy 0.9" in tested.out or "accuracy 1.0" in tested.out
    assert "macro average" in tested.out
    assert "1 business" in tested.out
    assert trained.err == tested.err == ""  # no progress where nobody watches


def test_texts_can_be_given_on_the_command_line(
    lexiclass: Command, table: Path, tmp_path: Path
) -> None:
    lexiclass("train", table, tmp_path / "model")
    arguments = ("--text", "goal match team", "--text", "planet orbit")
    predictions = lexiclass("predict", tmp_path / "model", *arguments).lines()
    assert [(p["document_id"], p["predicted_class"]) for p in predictions] == [
        ("text:1", "sports"),
        ("text:2", "science"),
    ]


def test_documents_can_have_any_number_of_labels(
    lexiclass: Command, tmp_path: Path, make_corpus: MakeCorpus
) -> None:
    texts, labels = make_corpus(60)
    pairs = zip(texts, labels, texts[1:], labels[1:], strict=False)
    rows = [{"text": f"{a} {b}", "label": f"{x}| {y}"} for a, x, b, y in pairs]
    table, model = write_table(tmp_path / "pairs.csv", rows), tmp_path / "model"
    options = ("--multi-label", "--features", "tfidf", "--test-fraction", "0.2", "--json")
    assert lexiclass("train", table, model, *options).json()["classes"] == 3
    tested = lexiclass("evaluate", model, table, "--json")
    assert tested.json()["micro_f1"] > 0.8
    assert "all classes right" in lexiclass("evaluate", model, table).out
    (found,) = lexiclass("predict", model, "--text", "goal coach team planet orbit laser").lines()
    assert found["predicted_classes"] == ["science", "sports"]
    assert "confidence" not in found


def test_predictions_go_to_a_file_whole_or_not_at_all(
    lexiclass: Command, table: Path, tmp_path: Path
) -> None:
    model, output = tmp_path / "model", tmp_path / "out" / "predictions.jsonl"
    lexiclass("train", table, model)
    output.parent.mkdir()
    report = lexiclass("predict", model, table, "--output", output, "--json").json()
    assert report["predictions"] == len(output.read_text().splitlines()) == 90
    output.unlink()
    broken = tmp_path / "broken.csv"
    broken.write_text("no,such,columns\n1,2,3\n")
    failed = lexiclass("predict", model, broken, "--output", output)
    assert failed.status == 2
    assert list(output.parent.iterdir()) == []


def test_documents_without_a_split_are_held_out_by_their_text(
    lexiclass: Command, tmp_path: Path, make_corpus: MakeCorpus
) -> None:
    rows = [{"text": t, "label": label} for t, label in zip(*make_corpus(60), strict=True)]
    table = write_table(tmp_path / "corpus.tsv.csv", rows)
    held = lexiclass("train", table, tmp_path / "held", "--test-fraction", "0.3", "--json").json()
    assert held["documents"] + held["held_out"] == 180
    assert 30 < held["held_out"] < 80
    tested = lexiclass("evaluate", tmp_path / "held", table, "--json")
    assert tested.json()["num_test_documents"] == held["held_out"]
    assert tested.err == ""

    lexiclass("train", table, tmp_path / "all")
    tested = lexiclass("evaluate", tmp_path / "all", table, "--json")
    assert tested.json()["num_test_documents"] == 180
    assert "the documents the model was trained on" in tested.err


def test_parameters_are_typed_by_their_plugins(
    lexiclass: Command, table: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    parameters = (
        "ngram_range=1,2", "max_df=1.0", "min_df=1", "max_features=null", "lowercase=false",
        "normalization=NFC", "classifier.C=2", "features.binary=true",
    )  # fmt: skip
    options = [part for parameter in parameters for part in ("--param", parameter)]
    assert lexiclass("train", table, model, "--features", "bow", *options).status == 0
    spec = read_manifest(model).spec
    assert spec.feature_extractor_params["ngram_range"] == [1, 2]
    assert spec.feature_extractor_params["max_df"] == 1.0
    assert isinstance(spec.feature_extractor_params["max_df"], float)  # a share, not a number
    assert spec.feature_extractor_params["min_df"] == 1
    assert isinstance(spec.feature_extractor_params["min_df"], int)
    assert spec.feature_extractor_params["binary"] is True
    assert spec.tokenizer_params["lowercase"] is False
    assert spec.tokenizer_params["normalization"] == "NFC"
    assert spec.classifier_params["C"] == 2.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--param", "nope=1"], "no parameter 'nope'.* Known parameters: C, "),
        (["--param", "C"], "'C' has no value; write C=VALUE"),
        (["--param", "C=-1"], "classifier 'svm': C: Input should be greater than 0"),
        (["--param", "tokenizer.C=1"], "tokenizer 'icu': C: Extra inputs are not permitted"),
        (["--classifier", "svn"], "PLUGIN_NOT_FOUND: .*Did you mean 'svm'"),
        (["--locale", "???"], "is not a locale"),
        (["--multi-label", "--threshold", "2"], "a pipeline: threshold: Input should be less"),
        (["--multi-label", "--threshold", "nan"], "a pipeline: threshold: Input should be"),
    ],
)
def test_wrong_usage_is_told_in_a_line_before_any_work(
    lexiclass: Command, table: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = lexiclass("train", table, tmp_path / "model", *arguments)
    assert result.status == 2
    assert result.err.count("\n") == 1
    assert result.err.startswith("error: ")
    assert re.search(message, result.err)
    assert not (tmp_path / "model").exists()


def test_where_no_model_can_be_written_nothing_is_trained(
    lexiclass: Command, tmp_path: Path
) -> None:
    too_few = write_table(tmp_path / "table.csv", [{"text": "one", "label": "a"}])
    result = lexiclass("train", too_few, too_few / "deep" / "model")
    assert result.status == 1
    assert result.err == f"error: STORAGE_ERROR: Not a directory '{too_few}'\n"


def test_where_too_much_is_held_out_the_message_says_so(lexiclass: Command, tmp_path: Path) -> None:
    rows = [{"text": f"{each} text", "label": "ab"[each % 2]} for each in range(6)]
    table = write_table(tmp_path / "table.csv", rows)
    result = lexiclass("train", table, tmp_path / "model", "--test-fraction", "1")
    assert result.status == 1
    assert "found 0 document(s)" in result.err
    assert "Hold out fewer than 6 for tests" in result.err


@pytest.mark.parametrize(
    "arguments", [["train"], ["no-such-command"], ["train", "absent.csv", "m"]]
)
def test_what_the_parser_refuses_is_wrong_usage_too(
    lexiclass: Command, arguments: list[str]
) -> None:
    result = lexiclass(*arguments)
    assert result.status == 2
    assert "Usage: " in result.err


def test_a_directory_that_is_taken_is_refused_before_training(
    lexiclass: Command, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "precious").write_text("x")
    result = lexiclass("train", table, tmp_path / "model")
    assert result.status == 2
    assert "exists already" in result.err


def test_failures_end_in_a_line_with_their_code(
    lexiclass: Command, table: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    one_class = write_table(tmp_path / "one.csv", [{"text": "x", "label": "a"}] * 3)
    failed = lexiclass("train", one_class, model)
    assert failed.status == 1
    assert failed.err.startswith("error: NOT_ENOUGH_DOCUMENTS: ")

    lexiclass("train", table, model)
    only_training = write_table(
        tmp_path / "training.csv", [{"text": "x", "label": "a", "split": "train"}]
    )
    failed = lexiclass("evaluate", model, only_training)
    assert (failed.status, failed.out) == (1, "")
    assert failed.err.startswith("error: NO_DOCUMENTS: ")

    (model / "classifier" / "classes.json").write_text("[]")
    failed = lexiclass("predict", model, "--text", "x")
    assert failed.status == 1
    assert failed.err.startswith("error: MODEL_CORRUPT: Stored file 'classifier/classes.json'")
    assert failed.err.count("\n") == 1

    failed = lexiclass("predict", tmp_path / "training.csv", "--text", "x")
    assert failed.status == 1
    assert lexiclass("predict", model).status == 2


def test_refused_records_are_counted_and_the_first_is_named(
    lexiclass: Command, table: Path, tmp_path: Path
) -> None:
    with table.open("a") as file:
        file.write("  ,sports,train\nx,sports,train,dev\n")
    model = tmp_path / "model"
    report = lexiclass("train", table, model, "--json").json()
    assert (report["refused"], report["first_refusal"]) == (2, "corpus.csv:92: empty")
    predicted = lexiclass("predict", model, table)
    assert len(predicted.lines()) == 90
    assert "2 records were refused, first corpus.csv:92: empty" in predicted.err


def test_an_index_is_built_kept_up_to_date_and_searched(lexiclass: Command, tmp_path: Path) -> None:
    folder, index = tmp_path / "documents", tmp_path / "index"
    folder.mkdir()
    for number, text in {7: "red apple", 8: "green apple", 9: "blue sky"}.items():
        (folder / f"{number}.txt").write_text(text)
    built = lexiclass("index", folder, index, "--param", "min_length=2", "--json").json()
    assert (built["documents"], built["added"], built["generation"]) == (3, 3, 1)
    (folder / "9.txt").write_text("blue apple")
    again = lexiclass("index", folder, index, "--param", "min_length=2", "--json").json()
    assert (again["added"], again["changed"], again["unchanged"]) == (0, 1, 2)
    full = lexiclass("index", folder, index, "--full", "--json").json()
    assert full["added"] == 3

    found = lexiclass("similar", index, "--id", 7, "--text", "green", "--limit", 2, "--json").json()
    assert [answer["query"] for answer in found] == [7, "green"]
    assert [neighbour["id"] for neighbour in found[0]["similar"]] == [8, 9]
    assert [neighbour["id"] for neighbour in found[1]["similar"]] == [8]
    assert "green" in lexiclass("similar", index, "--text", "green").out
    assert lexiclass("similar", index, "--id", 1).status == 2
    assert lexiclass("similar", index).status == 2


def test_documents_without_numbers_are_numbered(lexiclass: Command, tmp_path: Path) -> None:
    table = write_table(
        tmp_path / "c.csv", [{"id": "x", "text": "one"}, {"id": "7", "text": "two"}]
    )
    lexiclass("index", table, tmp_path / "index")
    found = lexiclass("similar", tmp_path / "index", "--text", "one", "--text", "two", "--json")
    assert [answer["similar"][0]["id"] for answer in found.json()] == [1, 2]

    rows = [{"id": "7", "text": "one"}, {"id": "x", "text": "two"}]
    mixed = write_table(tmp_path / "mixed.csv", rows)
    failed = lexiclass("index", mixed, tmp_path / "other")
    assert failed.status == 2
    assert "mixed.csv:3 has the id 'x'" in failed.err


@pytest.mark.slow
def test_the_command_is_the_module_and_ends_well_where_its_reader_stops(
    tmp_path: Path, lexiclass: Command, table: Path
) -> None:
    lexiclass("train", table, tmp_path / "model")
    with table.open("a") as file:
        file.write("goal match,sports,train\n" * 5000)
    command = [sys.executable, "-m", "lexiclass", "predict", str(tmp_path / "model"), str(table)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["document_id"] == "corpus.csv:2"
        process.stdout.close()
        assert process.stderr.read() == b""
