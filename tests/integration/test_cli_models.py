"""``models ...``: what it prints, and with which status it ends."""

import asyncio
import getpass
from pathlib import Path

import pytest

from lexiclass.cli import output
from tests.support.commands import Run
from tests.support.database import Database
from tests.support.services import Workshop


@pytest.fixture
def field_id(database: Database) -> int:
    """A field with three ready versions, one that failed and one in training."""
    found = database.value(
        "WITH p AS (INSERT INTO project (name) VALUES ('p') RETURNING id) "
        "INSERT INTO field (project_id, name) SELECT id, 'f' FROM p RETURNING id"
    )
    database.execute(
        "INSERT INTO model (field_id, version, status) SELECT :f, v, s FROM "
        "unnest(CAST('{1,2,3,4,5}' AS int[]), CAST('{ready,ready,ready,failed,training}' AS text[])"
        ") AS versions (v, s)",
        f=found,
    )
    return int(found)


def put_files(database: Database, storage_path: Path, field_id: int) -> Path:
    """Files of every version. Returns their folder."""
    project_id = database.value("SELECT project_id FROM field WHERE id = :f", f=field_id)
    folder = storage_path / str(project_id) / "models" / str(field_id)
    for version in range(1, 6):
        (folder / f"v{version}").mkdir(parents=True)
        (folder / f"v{version}" / "manifest.json").write_bytes(b"x" * 2**20)
    return folder


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", 1, 1),
        ("compare", 1, 1, 1),
        ("prune", 1, "--json"),
        ("prune", 1, "--keep", -1),
        ("retire", 1, 1, "--by", " "),
        ("history", 1, "--limit", 0),
        ("promote", 1),
    ],
)
def test_wrong_usage_ends_with_2(cli: Run, arguments: tuple[object, ...]) -> None:
    outcome = cli("models", *arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare", 4711, 1, 2),
        ("promote", 4711, 1),
        ("rollback", 4711),
        ("retire", 4711, 1),
        ("reinstate", 4711, 1),
        ("prune", 4711, "--yes"),
        ("history", 4711),
    ],
)
def test_a_field_that_is_not_there_ends_with_1(cli: Run, arguments: tuple[object, ...]) -> None:
    outcome = cli("models", *arguments)

    assert outcome.status == 1
    assert "field 4711 does not exist" in outcome.err


def test_the_list_says_which_version_serves(cli: Run, field_id: int) -> None:
    listed = cli("models", "list", field_id, "--json").json
    assert [(row["version"], row["use"]) for row in listed if row["use"]] == [(3, "serves")]

    cli("models", "retire", field_id, 3)

    listed = cli("models", "list", field_id, "--json").json
    uses = [(row["version"], row["use"]) for row in listed if row["use"]]
    assert uses == [(3, "retired"), (2, "serves")]
    assert "retired" in cli("models", "list", field_id).out


def test_changes_say_what_serves_and_leave_a_history(cli: Run, field_id: int) -> None:
    retired = cli("models", "retire", field_id, 3, "--by", "anna", "--reason", "too old")
    assert retired.status == 0
    assert "version 3 is retired\nversion 2 serves, before it was version 3" in retired.out
    assert "already" in cli("models", "retire", field_id, 3).out
    back = cli("models", "reinstate", field_id, 3, "--json").json
    assert back == {"version": 3, "is_new": True, "before": 2, "after": 3}

    events = cli("models", "history", field_id, "--json").json
    assert [(e["action"], e["version"], e["by"], e["reason"]) for e in events] == [
        ("reinstated", 3, getpass.getuser(), ""),
        ("retired", 3, "anna", "too old"),
    ]
    assert cli("models", "history", field_id, "--version", 1, "--json").json == []
    table = cli("models", "history", field_id)
    assert "too old" in table.out


def test_what_is_refused_ends_with_1_and_says_what_to_do(cli: Run, field_id: int) -> None:
    for arguments, says in (
        (("promote", field_id, 4), "is failed, not ready"),
        (("promote", field_id, 9), "no model version 9"),
        (("promote", field_id, 1), "are gone: restore them or train a new version"),
        (("rollback", field_id), "promote the one to go back to"),
        (("retire", field_id, 5), "is training, not ready"),
        (("compare", field_id, 1, 9), "no model version 9"),
    ):
        outcome = cli("models", *arguments)
        assert outcome.status == 1
        assert outcome.err.startswith("error: ")
        assert says in outcome.err


def test_pruning_shows_first_and_removes_when_told_to(
    cli: Run, database: Database, storage_path: Path, field_id: int
) -> None:
    folder = put_files(database, storage_path, field_id)
    before = sorted(path.name for path in folder.iterdir())

    dry = cli("models", "prune", field_id, "--keep", 1, "--dry-run", "--json").json
    assert [row["version"] for row in dry if row["outcome"] == "remove"] == [4, 2, 1]
    shown = cli("models", "prune", field_id, "--keep", 1, "--dry-run")
    assert "not among the 1 newest" in shown.out
    # Nobody is there to answer.
    assert cli("models", "prune", field_id).status == 1
    assert sorted(path.name for path in folder.iterdir()) == before

    done = cli("models", "prune", field_id, "--keep", 1, "--yes")
    assert done.status == 0
    assert "3.1 MB are free again" in done.out
    assert sorted(path.name for path in folder.iterdir()) == ["v3", "v5"]
    listed = cli("models", "list", field_id, "--json").json
    assert {row["version"] for row in listed if row["use"] == "pruned"} == {1, 2, 4}
    states = [line.split()[:2] for line in cli("models", "list", field_id).out.splitlines()]
    assert states[1:6] == [
        ["5", "training"], ["4", "pruned"], ["3", "serves"], ["2", "pruned"], ["1", "pruned"],
    ]  # fmt: skip


async def test_versions_are_promoted_rolled_back_and_compared(workshop: Workshop, cli: Run) -> None:
    project = await workshop.project(training=6, test=3)
    await workshop.train(project)
    await workshop.train(project, feature_extractor="tfidf", classifier_params={"C": 0.1})
    await workshop.evaluate(project, model_version=1)
    await workshop.evaluate(project, model_version=2)
    field_id = project.field_id

    def commands() -> None:
        promoted = cli("models", "promote", field_id, 1, "--reason", "simpler")
        assert "version 1 is promoted\nversion 1 serves, before it was version 2" in promoted.out
        compared = cli("models", "compare", field_id, 1, 2, "--json").json
        assert compared["versions"] == [1, 2]
        assert compared["same_training_set"] is compared["same_test_set"] is True
        assert compared["parameters"]["feature_extractor"] == ["bow", "tfidf"]
        assert compared["parameters"]["classifier_params.C"][1] == 0.1
        assert set(compared["f1_scores"]) == set(project.class_ids)
        assert len(compared["measures"]["macro_f1"]) == 2
        assert compared["differences"][0]["version"] == 2
        table = cli("models", "compare", field_id, 1, 2)
        for text in ("version 2", "macro f1", "animals", "tfidf", "the same test set", "McNemar"):
            assert text in table.out
        back = cli("models", "rollback", field_id)
        assert "version 2 serves, before it was version 1" in back.out
        shown = cli("models", "show", field_id, 2, "--json").json
        assert shown["is_serving"]
        assert shown["manifest"]["spec"]["feature_extractor"] == "tfidf"
        assert "tfidf" in cli("models", "show", field_id, 2).out

    # The command runs an event loop of its own.
    await asyncio.to_thread(commands)


@pytest.mark.slow
async def test_the_report_of_a_version_is_shown_as_it_was_written(
    workshop: Workshop, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = await workshop.project(training=6, test=3)
    await workshop.train(project)
    await workshop.execute("UPDATE field SET name = '[bold]topic[/] \x1b[2J<b>'")

    def commands() -> None:
        missing = cli("models", "report", project.field_id, 1)
        assert (missing.status, missing.out) == (1, "")
        assert "lexiclass-worker evaluate" in missing.err

    await asyncio.to_thread(commands)
    result = await workshop.evaluate(project)

    def more_commands() -> None:
        said = cli("models", "report", project.field_id, 1, "--json").json
        assert said["location"].startswith(str(result.report_path))
        report = said["report"]
        monkeypatch.setattr(output.console, "width", 80)
        shown = cli("models", "report", project.field_id, 1)
        assert shown.status == 0
        *lines, location = shown.out.splitlines()
        assert location == said["location"]
        assert max(map(len, lines)) <= 80
        text = " ".join(shown.out.split())
        assert report["verdict"] in text
        assert report["findings"]
        for finding in report["findings"]:
            assert f"{finding['code']} {finding['level']}: {finding['message']}" in text
        assert "[bold]topic[/]" in text
        assert "\x1b" not in shown.out
        Path(said["location"]).write_text("<script>")
        (Path(str(result.report_path)) / "report.json").write_text("{}")
        damaged = cli("models", "report", project.field_id, 1)
        assert (damaged.status, damaged.out) == (1, "")
        assert "not as it was written" in damaged.err

    await asyncio.to_thread(more_commands)


def test_versions_that_share_no_test_set_are_not_said_to_be_better(
    cli: Run, database: Database, field_id: int
) -> None:
    database.execute(
        "UPDATE model SET test_errors = '{}', metrics = jsonb_build_object('test_set', "
        "jsonb_build_object('digest', version, 'num_documents', 9))"
    )
    said = " ".join(cli("models", "compare", field_id, 1, 2).out.split())

    assert "on different test sets" in said
    assert "evaluate each again" in said
    assert "McNemar" not in said
