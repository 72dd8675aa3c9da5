"""Someone with e-mails in folders gets to a table of wrong predictions by commands alone."""

import csv
import random
from pathlib import Path

import pytest

from tests.e2e.test_cli import cli_json, run_cli
from tests.support.house import House

GROUPS = {
    "rec.autos": "engine car brake clutch dealer oil mileage wheel highway tire",
    "sci.space": "orbit shuttle launch moon rocket satellite mars telescope probe",
}
HEADERS = (
    "From: u{number}@host.edu (Some One)\nSubject: Re: {subject}\nOrganization: none\nLines: 12\n",
    (
        "Xref: host {group}:{number}\nNewsgroups: {group}\nPath: a!b!c\nFrom: José <u@b.c>\n"
        "Subject: {subject}\nMessage-ID: <{number}@x>\nReferences: <1@x>\n\t<2@y>\n"
    ),
    "Organization: none\nFrom: <X@host>\nSubject: {subject}\n continued\nLines: 3\n",
)


def write_newsgroups(folder: Path, number: int, seed: int) -> None:
    """As the corpus comes: a folder a group, files without an ending, in Latin-1."""
    chance = random.Random(seed)
    for group, words in GROUPS.items():
        (folder / group).mkdir(parents=True)
        for name in range(50_000, 50_000 + number):
            headers = chance.choice(HEADERS).format(
                group=group, number=name, subject=chance.choice(words.split())
            )
            # The last is in the wrong folder.
            told = words if name < 49_999 + number else next(
                others for others in GROUPS.values() if others != words
            )  # fmt: skip
            body = "\n".join(" ".join(chance.choices(told.split(), k=8)) for _ in range(4))
            text = f"{headers}\n{body}\n--\nun café\n"
            (folder / group / str(name)).write_bytes(text.encode("latin-1"))


@pytest.mark.slow
def test_raw_emails_in_folders_become_a_table_of_wrong_predictions(
    house: House, tmp_path: Path
) -> None:
    write_newsgroups(tmp_path / "train", 20, seed=1)
    write_newsgroups(tmp_path / "test", 6, seed=2)

    report = cli_json(
        house, "project", "import", str(tmp_path / "train"), "--test", str(tmp_path / "test"),
        "--name", "newsgroups", "--field", "group",
    )  # fmt: skip

    assert report["formats"] == {"email": 52}
    assert (report["num_training"], report["num_test"], report["num_refused"]) == (40, 12, 0)
    assert report["classes"] == {"rec.autos": 26, "sci.space": 26}
    for command in ("index newsgroups", "train newsgroups group", "predict newsgroups group"):
        done = run_cli(house, *command.split(), "--wait")
        assert done.returncode == 0, done.stderr
    table = tmp_path / "wrong.csv"
    done = run_cli(
        house, "predictions", "export", "newsgroups", "group", "--wrong", "--text",
        "--excerpt", "--output", str(table),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(row["source"], row["true_class"], row["predicted_class"]) for row in rows}
    assert found == {
        ("test/rec.autos/50005", "rec.autos", "sci.space"),
        ("test/sci.space/50005", "sci.space", "rec.autos"),
    }
    assert all(row["text"].endswith("un café") and "From:" not in row["text"] for row in rows)
    assert all(row["excerpt"][:20] == " ".join(row["text"].split())[:20] for row in rows)
