"""From folders of raw e-mails to a file of wrong predictions, by commands alone."""

import csv
from pathlib import Path

import pytest

from tests.e2e.test_cli import cli_json, run_cli
from tests.support.corpora import make_text
from tests.support.house import House

MISFILED = "53217"


def write_mail(folder: Path, name: str, label: str, seed: int) -> None:
    """An e-mail as a newsgroup has it: Latin-1, without a MIME header or an extension."""
    folder.mkdir(parents=True, exist_ok=True)
    head = f"From: jos\xe9{seed}@site.edu (Jos\xe9)\nSubject: Re: a question\nLines: 9\n\n"
    (folder / name).write_bytes((head + make_text(label, seed, words=60)).encode("latin-1"))


@pytest.mark.slow
def test_newsgroups_become_a_file_of_wrong_predictions_by_commands_alone(
    house: House, tmp_path: Path
) -> None:
    for number in range(12):
        for label in ("animals", "vehicles"):
            train, test = (tmp_path / f"news-{part}" / label for part in ("train", "test"))
            write_mail(train, str(10_000 + number), label, number)
            if number < 4:
                write_mail(test, str(20_000 + number), label, 100 + number)
    write_mail(tmp_path / "news-test" / "animals", MISFILED, "vehicles", 999)
    wrong = tmp_path / "wrong.csv"

    imported = cli_json(
        house, "project", "import", str(tmp_path / "news-train"),
        "--test", str(tmp_path / "news-test"), "--name", "raw news", "--field", "group",
    )  # fmt: skip
    assert (imported["num_training"], imported["num_test"]) == (24, 9)
    for command in ("train", "predict"):
        done = run_cli(house, command, "raw news", "group", "--wait")
        assert done.returncode == 0, done.stderr
    export = ("predictions", "export", "raw news", "group")
    exported = run_cli(house, *export, "--wrong", "--excerpt", "-o", str(wrong))

    assert exported.returncode == 0, exported.stderr
    assert "1 wrong predictions in" in exported.stderr
    with wrong.open(newline="", encoding="utf-8") as lines:
        (row,) = csv.DictReader(lines)
    assert row["source"].endswith(f"animals/{MISFILED}")
    assert (row["predicted_class"], row["true_class"], row["split"]) == (
        "vehicles",
        "animals",
        "test",
    )
    assert make_text("vehicles", 999, words=60)[:20] in row["excerpt"]
