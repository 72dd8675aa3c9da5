"""Projects that grow and are corrected on the command line."""

import io
from pathlib import Path

import pytest

from tests.support.commands import Run
from tests.support.database import Database


@pytest.fixture
def shop(cli: Run, tmp_path: Path) -> int:
    path = tmp_path / "first.csv"
    path.write_text("id,text,label\na,one,x\nb,two,y\nc,three,x\n")
    return int(cli("project", "import", path, "--name", "shop", "--json").json["project_id"])


def test_more_is_added_by_name_and_by_number(cli: Run, shop: int, tmp_path: Path) -> None:
    path = tmp_path / "more.csv"
    path.write_text("id,text,label\na,one,y\nd,four,x\n")

    report = cli("project", "add", "shop", path, "--json").json
    again = cli("project", "import", path, "--project", shop, "--json").json

    assert report["project_id"] == again["project_id"] == shop
    assert [report[k] for k in ("added", "changed", "unchanged")] == [1, 0, 1]
    assert [report[k] for k in ("labels_added", "labels_changed")] == [1, 1]
    assert [again[k] for k in ("added", "changed", "unchanged", "labels_changed")] == [0, 0, 2, 0]
    assert "2: 0 added, 0 changed, 2 unchanged" in cli("project", "add", "shop", path).out


def test_a_name_that_is_taken_is_told(cli: Run, shop: int, tmp_path: Path) -> None:
    again = cli("project", "import", tmp_path / "first.csv", "--name", "shop", "--json").json
    assert again["project_id"] != shop
    assert f"already, number {shop}: " in again["warnings"][0]
    shown = cli("project", "import", tmp_path / "first.csv", "--name", "shop").out
    assert "warning: there was a project of this name" in " ".join(shown.split())
    both = cli("project", "import", tmp_path / "first.csv", "--name", "a", "--project", "shop")
    assert both.status == 2


def test_fields_are_named_with_their_columns(cli: Run, shop: int, tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("text,topic,language\n" + "".join(
        f"text {n},{('farm', 'law')[n % 2]},{('en', 'de')[n // 10]}\n" for n in range(20)
    ))  # fmt: skip
    two = ("--field", "topic=topic", "--field", "language=language")

    report = cli("project", "import", path, *two, "--json").json

    assert (report["num_documents"], report["labels_added"]) == (20, 40)
    assert report["field_classes"] == {
        "topic": {"farm": 10, "law": 10}, "language": {"en": 10, "de": 10},
    }  # fmt: skip
    labels = tmp_path / "tone.csv"
    labels.write_text("id,tone\na,warm\nb,cold\n")
    report = cli("project", "add", "shop", labels, "--field", "tone=tone", "--json").json
    assert (report["unchanged"], report["labels_added"]) == (2, 2)
    # Now that there are two, somebody has to say which is meant.
    refused = cli("project", "add", "shop", tmp_path / "first.csv")
    assert refused.status == 1
    assert "has the fields label, tone: say which one" in refused.err


def test_fields_that_say_nothing_are_wrong_usage(cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\none,x\n")
    for fields in (("a=x", "a=y"), ("=x",), ("a=",), ("a", "b"), ("a=x", "b=x")):
        options = [word for field in fields for word in ("--field", field)]
        assert cli("project", "import", path, *options).status == 2, fields


def test_labels_are_set_and_removed_by_names(cli: Run, shop: int, database: Database) -> None:
    statement = (
        "SELECT c.name || ' ' || l.is_training_data FROM document_label l "
        "JOIN field_class c ON c.id = l.class_id JOIN document d ON d.id = l.document_id "
        "WHERE d.external_id = 'a'"
    )

    assert cli("labels", "set", "shop", "label", "a", "y", "--test", "--json").json["changed"]
    assert database.value(statement) == "y false"
    assert cli("labels", "set", "shop", "label", "a", "y", "--train").status == 0
    assert database.value(statement) == "y true"
    assert "as it was before" in cli("labels", "set", shop, "label", "a", "y").out
    misspelt = cli("labels", "set", "shop", "label", "a", "yy")
    assert misspelt.status == 1
    assert "no class of field" in misspelt.err
    assert cli("labels", "set", "shop", "label", "a", "yy", "--new-class").status == 0
    assert database.value(statement) == "yy true"
    assert cli("labels", "remove", "shop", "label", "a", "--json").json["changed"]
    assert "and had none" in cli("labels", "remove", "shop", "label", "a").out
    unknown = cli("labels", "remove", "shop", "label", "nowhere")
    assert unknown.status == 1
    assert f"project {shop} has no document 'nowhere'" in unknown.err


def test_a_deletion_is_asked_for_and_submitted(
    cli: Run, shop: int, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = database.value("SELECT id FROM document WHERE external_id = 'b'")
    no_wait = ("--yes", "--no-wait", "--json")

    task = cli("documents", "delete", "shop", "b", number, 4711, *no_wait).json
    assert task["request"] == {
        "project_id": shop, "document_ids": [number, 4711], "remove_models": False,
    }  # fmt: skip
    task = cli("documents", "delete", "shop", "b", "--remove-models", *no_wait).json
    assert task["request"]["remove_models"]
    task = cli("project", "delete", "shop", *no_wait).json
    assert (task["type"], task["request"]) == ("delete_project", {"project_id": shop})

    unknown = cli("documents", "delete", "shop", "nowhere", *no_wait)
    assert (unknown.status, "has no document 'nowhere'" in unknown.err) == (1, True)
    elsewhere = database.value(
        "WITH other AS (INSERT INTO project (name) VALUES ('other') RETURNING id) "
        "INSERT INTO document (project_id, content_path) SELECT id, 'x' FROM other RETURNING id"
    )
    refused = cli("documents", "delete", "shop", elsewhere, *no_wait)
    assert refused.status == 1
    assert f"project {shop} has no document '{elsewhere}' (it is of project " in refused.err
    assert cli("project", "delete", "shop", "--json").status == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    asked = cli("project", "delete", "shop")
    assert asked.status == 1
    assert f"Delete project {shop} (shop) with 3 documents" in asked.out
    assert len(cli("tasks", "list", "--json").json) == 3
