"""`lexiclass evaluate --report`: the report of an evaluation from the library alone."""

from pathlib import Path

import pytest

from lexiclass.report.files import read_report
from lexiclass.report.model import Report
from tests.support.easy_corpus import MakeCorpus
from tests.unit.lexiclass.test_cli import Command, lexiclass, write_table

__all__ = ["lexiclass"]


@pytest.fixture
def rows(make_corpus: MakeCorpus) -> list[dict[str, str]]:
    return [
        {"text": text, "label": label, "split": split, "id": f"{split} {number}"}
        for split, corpus in (("train", make_corpus()), ("test", make_corpus(20, seed=1)))
        for number, (text, label) in enumerate(zip(*corpus, strict=True))
    ]


def reported(
    lexiclass: Command, folder: Path, rows: list[dict[str, str]], *options: str
) -> tuple[Report, str]:
    table = write_table(folder / "corpus.csv", rows)
    training = [row for row in rows if row["split"] == "train"]
    lexiclass("train", write_table(folder / "training.csv", training), folder / "model")
    result = lexiclass(
        "evaluate", folder / "model", table, "--report", folder / "found.html", *options
    )
    assert result.status == 0, result.err
    page = (folder / "found.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    return read_report((folder / "found.json").read_bytes()), result.out


def test_a_report_has_what_the_evaluation_prints_and_more(
    lexiclass: Command, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    report, out = reported(lexiclass, tmp_path, rows)
    metrics = lexiclass("evaluate", tmp_path / "model", tmp_path / "corpus.csv", "--json").json()
    assert report.accuracy.value == metrics["accuracy"]
    assert report.test_set.num_documents == metrics["num_test_documents"] == 60
    assert report.verdict in " ".join(out.split())
    assert str(tmp_path / "found.html") in out.replace("\n", "")
    assert report.test_set.num_groups is not None
    assert report.test_set.num_in_training == 0
    majority, nearest, linear = report.baselines
    assert majority.accuracy is not None
    assert nearest.accuracy is not None
    assert nearest.num_training_documents == 60
    assert linear.missing == "the model itself is a linear classifier of TF-IDF weights"
    assert all(each.text is None for each in report.mistakes)


def test_documents_of_the_training_and_wrong_labels_are_found(
    lexiclass: Command, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    first = rows[0]
    names = sorted({row["label"] for row in rows})
    other = next(name for name in names if name != first["label"])
    rows += [
        {
            "text": first["text"].upper() + "  \n",
            "label": label,
            "split": "test",
            "id": f"t {label}",
        }
        for label in (first["label"], other)
    ]
    report, _ = reported(lexiclass, tmp_path, rows, "--with-texts")
    found = {each.code: each for each in report.findings}
    expected = [f"t {first['label']}", f"t {other}"]
    assert found["LX001"].documents == expected
    assert sorted(map(str, found["LX008"].documents)) == sorted(expected)
    assert report.mistakes[0].document == f"t {other}"
    assert report.mistakes[0].text == first["text"].upper() + "  \n"


@pytest.mark.slow
def test_a_test_set_of_its_own_says_that_the_training_documents_are_missing(
    lexiclass: Command, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    reported(lexiclass, tmp_path, rows)
    test = [row for row in rows if row["split"] == "test"]
    table = write_table(tmp_path / "test.csv", test)
    path = tmp_path / "alone.json"
    assert lexiclass("evaluate", tmp_path / "model", table, "--report", path).status == 0
    report = read_report(path.read_bytes())
    assert not (tmp_path / "alone.html").exists()
    assert report.test_set.num_in_training is None
    missing = {each.name: each.missing for each in report.baselines}
    assert missing["majority_class"] == missing["nearest_document"]
    assert "trained on" in str(missing["majority_class"])


def test_testing_on_the_training_documents_is_an_error_of_the_report(
    lexiclass: Command, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    reported(lexiclass, tmp_path, rows)
    same = [{**row, "split": "test"} for row in rows if row["split"] == "train"]
    table = write_table(tmp_path / "same.csv", same)
    path = tmp_path / "same.json"
    lexiclass("evaluate", tmp_path / "model", table, "--report", path)
    report = read_report(path.read_bytes())
    assert report.findings[0].code == "LX001"
    assert report.findings[0].level == "error"
    assert report.test_set.num_in_training == 60


@pytest.mark.parametrize(
    ("name", "said"),
    [("report.txt", ".html"), ("none/report.html", "no folder"), ("there.json", "is a folder")],
)
def test_a_file_that_cannot_be_is_refused_before_the_evaluation(
    lexiclass: Command, tmp_path: Path, rows: list[dict[str, str]], name: str, said: str
) -> None:
    (tmp_path / "there.json").mkdir()
    table = write_table(tmp_path / "corpus.csv", rows)
    lexiclass("train", table, tmp_path / "model")
    result = lexiclass("evaluate", tmp_path / "model", table, "--report", tmp_path / name)
    assert result.status == 2
    assert said in " ".join(result.err.split())


def test_documents_of_many_classes_have_no_report(
    lexiclass: Command, tmp_path: Path, rows: list[dict[str, str]]
) -> None:
    table = write_table(tmp_path / "corpus.csv", rows)
    lexiclass("train", table, tmp_path / "model", "--multi-label")
    result = lexiclass("evaluate", tmp_path / "model", table, "--report", tmp_path / "r.html")
    assert result.status == 2
    assert "one class each" in " ".join(result.err.split())


@pytest.mark.slow
def test_a_folder_of_documents_is_divided_by_folder_and_script(
    lexiclass: Command, tmp_path: Path, make_corpus: MakeCorpus
) -> None:
    corpus = tmp_path / "corpus"
    for split, seed in (("train", 0), ("test", 1)):
        for number, (text, label) in enumerate(zip(*make_corpus(20, seed=seed), strict=True)):
            folder = "scans" if number % 3 else "mail"
            place = corpus / split / label / folder / f"{number}.txt"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text if number % 2 else text + " письмо" * 99)
    assert lexiclass("train", corpus, tmp_path / "model").status == 0
    path = tmp_path / "found.json"
    result = lexiclass("evaluate", tmp_path / "model", corpus, "--report", path)
    assert result.status == 0, result.err
    kinds = {(each.by, each.value) for each in read_report(path.read_bytes()).slices}
    assert {("script", "Latin"), ("script", "Cyrillic")} <= kinds
    assert {("folder", "mail"), ("folder", "scans")} <= kinds
