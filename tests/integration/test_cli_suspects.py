"""``labels suspects`` on the command line, in this process."""

import csv
import io
import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass import Pipeline, PipelineSpec
from lexiclass.cli import output
from lexiclass.manifest import EVIDENCE_FILE
from tests.support.commands import Run
from tests.support.corpora import SmallProject, create_project, make_text
from tests.support.database import Database

SUSPECTS = ("labels", "suspects", "small", "topic")


@pytest.fixture
def project(database: Database, storage_path: Path) -> SmallProject:
    """Nine training documents, and a model whose training has looked at their labels."""

    async def create(session: AsyncSession) -> SmallProject:
        return await create_project(session, storage_path, training=3, test=1)

    project = database.run(create)
    trained(database, project, {"num_held_out": 9, "num_wrong": 2.0, "num_suspects": 3})
    return project


def trained(database: Database, project: SmallProject, looked_for: dict[str, Any] | None) -> None:
    database.execute(
        "INSERT INTO model (field_id, version, status, metrics, trained_at) VALUES "
        "(:field, 1, 'ready', CAST(:metrics AS jsonb), now())",
        field=project.field_id,
        metrics=json.dumps({"num_documents": 9, "label_suspects": looked_for}),
    )


def suspect(
    database: Database, project: SmallProject, document_id: int, score: float, **reason: Any
) -> str:
    """Suspect the label of a document. Returns the class that fits better."""
    label = project.true_class[document_id]
    better = next(name for name in project.class_ids if name != label)
    neighbours = reason.pop("neighbours", [])
    database.execute(
        "INSERT INTO label_suspect (document_id, field_id, class_id, suggested_class_id, score, "
        "reason, neighbours, model_version) VALUES (:document, :field, :class, :better, :score, "
        "CAST(:reason AS jsonb), CAST(:neighbours AS bigint[]), 1)",
        document=document_id,
        field=project.field_id,
        **{"class": project.class_ids[label]},
        better=project.class_ids[better],
        score=score,
        reason=json.dumps(reason),
        neighbours=neighbours,
    )
    return better


@pytest.fixture
def suspected(database: Database, project: SmallProject) -> list[tuple[int, str, str]]:
    """Three documents, the most suspect first: number, label, better class."""
    first, second, third, other = project.training_ids[:4]
    better = [
        suspect(database, project, first, 0.9, found_by=["confident_learning"],
                label_probability=0.05, suggested_probability=0.85),
        suspect(database, project, second, 0.6, found_by=["equal_text"], neighbours=[other]),
        suspect(database, project, third, 0.5, found_by=["near_duplicate"], neighbours=[other]),
    ]  # fmt: skip
    documents = (first, second, third)
    return [
        (number, project.true_class[number], name)
        for number, name in zip(documents, better, strict=True)
    ]


def labels(database: Database) -> dict[int, str]:
    rows = database.rows(
        "SELECT l.document_id, c.name FROM document_label l JOIN field_class c ON c.id = l.class_id"
    )
    return {row["document_id"]: row["name"] for row in rows}


def statuses(database: Database) -> list[str]:
    rows = database.rows("SELECT status FROM label_suspect ORDER BY score DESC, id")
    return [row["status"] for row in rows]


def test_suspects_are_listed_with_reasons_and_the_class_that_fits_better(
    cli: Run, project: SmallProject, suspected: list[tuple[int, str, str]]
) -> None:
    other = project.training_ids[3]
    listed = cli(*SUSPECTS, "--json").json

    assert [
        (row["document_id"], row["given_label"], row["suggested_label"]) for row in listed
    ] == suspected
    assert [row["found_by"] for row in listed] == [
        ["confident_learning"], ["equal_text"], ["near_duplicate"],
    ]  # fmt: skip
    label = project.true_class[other]
    assert listed[1]["neighbours"] == [{"document_id": other, "label": label}]
    assert [row["reasons"] for row in listed] == [
        "probability 0.85 against 0.05",
        f"same text as {other} ({label})",
        f"nearly the text of {other} ({label})",
    ]
    assert listed[0]["text"]
    shown = cli(*SUSPECTS)
    assert shown.status == 0
    assert "of 9 documents it held 9 out" in " ".join(shown.out.split())
    assert "--output suspects.csv" in shown.out
    assert "--output" not in cli(*SUSPECTS, "--status", "dismissed").out
    assert cli(*SUSPECTS, "--limit", 1, "--json").json == listed[:1]
    assert cli(*SUSPECTS, "--status", "dismissed", "--json").json == []


def test_eighty_columns_are_enough(
    cli: Run, suspected: list[tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.console, "width", 80)
    shown = cli(*SUSPECTS).out

    assert max(map(cell_len, shown.splitlines())) <= 80
    assert all(str(number) in shown for number, _, _ in suspected)
    assert {"0.9", "0.6", "0.5", "vehicles", "animals", "0.85"} <= set(shown.split())


def decide(text: str, decisions: dict[int, str]) -> str:
    """An export in CSV as an annotator leaves it."""
    rows = list(csv.DictReader(io.StringIO(text)))
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    for row in rows:
        writer.writerow({**row, "decision": decisions.get(int(row["document_id"]), "")})
    return out.getvalue()


def test_what_annotators_write_into_the_file_is_done(
    cli: Run,
    database: Database,
    suspected: list[tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    (first, label, better), (second, right, _), (third, kept, _) = suspected
    file = tmp_path / "suspects.csv"
    exported = cli(*SUSPECTS, "--text", "-o", file)
    assert "3 suspects in" in exported.err
    assert f"labels suspects {shlex.join(map(str, SUSPECTS[2:]))} --import {file}" in exported.err
    file.write_text(decide(file.read_text(), {first: better, second: right}))

    report = cli(*SUSPECTS, "--import", file, "--json").json
    assert report == {
        "num_corrected": 1, "num_dismissed": 1, "num_unchanged": 0, "num_undecided": 1,
        "num_refused": 0, "refusals": [],
    }  # fmt: skip
    now = labels(database)
    assert (now[first], now[second], now[third]) == (better, right, kept)
    assert label != better
    assert statuses(database) == ["corrected", "dismissed", "open"]
    again = cli(*SUSPECTS, "--import", file, "--json").json
    assert (again["num_corrected"], again["num_dismissed"], again["num_refused"]) == (0, 1, 0)
    assert again["num_unchanged"] == 1


@pytest.mark.parametrize("form", ["tasks", "flat"])
def test_label_studio_is_asked_and_answers(
    cli: Run,
    database: Database,
    suspected: list[tuple[int, str, str]],
    tmp_path: Path,
    form: str,
) -> None:
    file = tmp_path / "tasks.json"
    exported = cli(*SUSPECTS, "--format", "label-studio", "-o", file)
    assert '<Choices name="topic"' in exported.err
    assert "--import" not in exported.err
    tasks = json.loads(file.read_text())
    (first, label, better) = suspected[0]
    assert tasks[0]["data"]["given_label"] == label
    result = tasks[0]["predictions"][0]["result"]
    assert result[0]["value"] == {"choices": [better]}
    answer = tmp_path / "project-1.json"
    if form == "tasks":
        done = [{"id": 7, "data": tasks[0]["data"], "annotations": [{"result": result}]}]
    else:
        done = [{**tasks[0]["data"], "topic": better, "annotation_id": 3, "id": 7}]
    answer.write_text(json.dumps(done))

    assert cli(*SUSPECTS, "--import", answer, "--json").json["num_corrected"] == 1
    assert labels(database)[first] == better


def test_classes_that_spreadsheets_would_run_are_harmless_and_come_back(
    cli: Run,
    database: Database,
    project: SmallProject,
    suspected: list[tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    (number, label, better) = suspected[0]
    for name, hostile in ((label, '=HYPERLINK("http://x")'), (better, "@SUM(1)\x1b[31m")):
        database.execute(
            "UPDATE field_class SET name = :new WHERE id = :id",
            new=hostile,
            id=project.class_ids[name],
        )
    file = tmp_path / "suspects.csv"
    cli(*SUSPECTS, "-o", file)
    row = next(csv.DictReader(io.StringIO(file.read_text())))
    assert row["given_label"] == '\'=HYPERLINK("http://x")'
    assert row["suggested_label"] == "'@SUM(1)\\x1b[31m"
    assert "\x1b" not in cli(*SUSPECTS).out
    file.write_text(decide(file.read_text(), {number: row["suggested_label"]}))

    assert cli(*SUSPECTS, "--import", file, "--json").json["num_corrected"] == 1
    assert labels(database)[number] == "@SUM(1)\x1b[31m"


def test_what_cannot_be_followed_is_told_and_the_rest_is_done(
    cli: Run,
    database: Database,
    project: SmallProject,
    suspected: list[tuple[int, str, str]],
    tmp_path: Path,
) -> None:
    (first, label, better), (second, right, other), (third, kept, _) = suspected
    database.execute(
        "UPDATE document_label SET class_id = :class WHERE document_id = :id",
        **{"class": project.class_ids[next(n for n in project.class_ids if n != kept)]},
        id=third,
    )
    third_choice = next(n for n in project.class_ids if n not in {kept, labels(database)[third]})
    file = tmp_path / "decided.jsonl"
    records: list[dict[str, Any]] = [
        {"document_id": first, "given_label": label, "decision": better},
        {"document_id": first, "given_label": label, "decision": label},
        {"document_id": second, "given_label": right, "decision": "no such class"},
        {"document_id": third, "given_label": kept, "decision": third_choice},
        {"document_id": 10**12, "given_label": right, "decision": right},
        {"document_id": "x" * 500, "given_label": right, "decision": right},
        {"document_id": second, "decision": other},
        {"document_id": second, "given_label": right, "decision": [right, other]},
        {"document_id": second, "given_label": right, "decision": None},
    ]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    outcome = cli(*SUSPECTS, "--import", file, "--json")

    assert outcome.status == 1
    report = json.loads(outcome.out)
    assert (report["num_corrected"], report["num_undecided"], report["num_refused"]) == (1, 1, 7)
    told = " ".join(each["reason"] for each in report["refusals"])
    for part in (
        "says another class", "no class 'no such class'", "by now", "has no label here",
        "expected the number of a document", "no given_label", "several classes",
    ):  # fmt: skip
        assert part in told
    assert labels(database)[first] == better
    assert cli(*SUSPECTS, "--import", tmp_path / "none.csv").status == 1
    assert cli(*SUSPECTS, "--import", file, "--version", 1).status == 2


@pytest.mark.parametrize(("is_trained", "message"), [(True, "train again"), (False, "train one")])
def test_a_field_whose_labels_nobody_has_looked_at_says_what_to_do(
    cli: Run, database: Database, project: SmallProject, is_trained: bool, message: str
) -> None:
    database.execute("DELETE FROM model")
    if is_trained:
        trained(database, project, None)

    for arguments in ((), ("--format", "csv")):
        outcome = cli(*SUSPECTS, *arguments)
        assert outcome.status == 1
        assert message in " ".join(outcome.err.split())
    assert cli("labels", "suspects", "small", "nothing").status == 1


def kept_model(database: Database, storage_path: Path, project: SmallProject) -> Path:
    """A model of the project, trained on 60 documents of which one is labelled wrongly."""
    database.execute("DELETE FROM label_suspect")
    names = [name for name in project.class_ids for _ in range(20)]
    texts = [make_text(name, number) for number, name in enumerate(names)]
    numbers = np.array(project.training_ids + list(range(10_000, 10_051)), dtype=np.int64)
    # The first is labelled as its row says, and its text is of another class.
    label = project.true_class[project.training_ids[0]]
    texts[0] = make_text(next(name for name in names if name != label), 999)
    pipeline = Pipeline(PipelineSpec(feature_extractor="tfidf"))
    pipeline.fit(texts, [label, *names[1:]])
    folder = storage_path / str(project.project_id) / "models" / str(project.field_id) / "v1"
    manifest = pipeline.save(folder, document_ids=numbers)
    database.execute(
        "UPDATE model SET manifest = jsonb_build_object('manifest_digest', CAST(:digest AS text))",
        digest=manifest.file_digest,
    )
    return folder


def test_suspects_are_found_anew_in_what_a_training_has_kept(
    cli: Run, database: Database, project: SmallProject, storage_path: Path
) -> None:
    kept_model(database, storage_path, project)
    listed = cli(*SUSPECTS, "--version", 1, "--json").json

    assert [row["document_id"] for row in listed] == [project.training_ids[0]]
    assert listed[0]["found_by"] == ["confident_learning"]
    assert cli(*SUSPECTS, "--json").json == listed
    assert cli(*SUSPECTS, "--version", 2).status == 1


@pytest.mark.parametrize("damage", ["changed", "gone", "all gone", "another's"])
def test_files_that_are_not_what_was_kept_are_corrupt(
    cli: Run, database: Database, project: SmallProject, storage_path: Path, damage: str
) -> None:
    folder = kept_model(database, storage_path, project)
    file = folder / EVIDENCE_FILE
    if damage == "changed":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    elif damage == "gone":
        file.unlink()
    elif damage == "all gone":
        folder.rename(folder.with_name("elsewhere"))
    else:
        database.execute(
            "UPDATE model SET manifest = jsonb_build_object('manifest_digest', repeat('0', 64))"
        )
    outcome = cli(*SUSPECTS, "--version", 1)

    assert outcome.status == 1
    assert "Traceback" not in outcome.err
    assert any(word in outcome.err for word in ("changed", "missing", "gone", "another model")), (
        outcome.err
    )
    assert database.rows("SELECT * FROM label_suspect") == []


@pytest.mark.slow_variants
@pytest.mark.parametrize("name", ["s.csv", "s.jsonl", "s.parquet"])
@pytest.mark.parametrize("with_text", [(), ("--text",), ("--text", "--bom")])
def test_an_export_that_nobody_has_touched_decides_nothing(
    cli: Run,
    database: Database,
    suspected: list[tuple[int, str, str]],
    tmp_path: Path,
    name: str,
    with_text: tuple[str, ...],
) -> None:
    before = labels(database)
    exported = cli(*SUSPECTS, *with_text, "-o", tmp_path / name)
    assert exported.status == 0, exported.err
    report = cli(*SUSPECTS, "--import", tmp_path / name, "--json").json

    assert (report["num_undecided"], report["num_refused"]) == (len(suspected), 0)
    assert labels(database) == before
    assert statuses(database) == ["open"] * 3


@pytest.mark.slow_variants(2)
@pytest.mark.parametrize("content", ["", "{", "a,b\n1,2\n", "\x00\xff", "[[[[" * 5_000, "[1, 2]"])
def test_a_file_that_is_no_export_changes_nothing(
    cli: Run,
    database: Database,
    suspected: list[tuple[int, str, str]],
    tmp_path: Path,
    content: str,
) -> None:
    before = labels(database)
    for name in ("s.csv", "s.json", "s.jsonl", "s.parquet"):
        (tmp_path / name).write_text(content)
        outcome = cli(*SUSPECTS, "--import", tmp_path / name)
        assert outcome.status in {0, 1, 2}
        assert "Traceback" not in outcome.err
    assert labels(database) == before
    assert statuses(database) == ["open"] * len(suspected)
