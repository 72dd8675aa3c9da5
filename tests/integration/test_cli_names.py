"""Projects and fields are named by name on the command line."""

import pytest

from tests.support.commands import Run
from tests.support.database import Database


def add_project(database: Database, name: str, *fields: str) -> dict[str, int]:
    """A project with fields; the id of each by its name, and of the project under ''."""
    statement = "INSERT INTO project (name) VALUES (:name) RETURNING id"
    project_id = int(database.value(statement, name=name))
    field = "INSERT INTO field (project_id, name) VALUES (:project, :name) RETURNING id"
    ids = {name: int(database.value(field, project=project_id, name=name)) for name in fields}
    for field_id in ids.values():
        database.execute(
            "INSERT INTO model (field_id, version, status) "
            "VALUES (:f, 1, 'ready'), (:f, 2, 'ready')",
            f=field_id,
        )
    return {"": project_id, **ids}


@pytest.fixture
def shop(database: Database) -> dict[str, int]:
    add_project(database, "other", "topic")
    return add_project(database, "shop", "topic", "tone of voice")


def test_work_is_submitted_by_names(cli: Run, shop: dict[str, int]) -> None:
    for command in ("train", "evaluate", "predict"):
        request = cli(command, "shop", "tone of voice", "--json").json["request"]
        assert (request["project_id"], request["field_id"]) == (shop[""], shop["tone of voice"])
        by_numbers = cli(command, shop[""], shop["tone of voice"], "--json").json["request"]
        assert by_numbers == request
    assert cli("index", "shop", "--json").json["request"]["project_id"] == shop[""]
    assert len(cli("tasks", "list", "--project", "shop", "--json").json) == 7


@pytest.mark.slow
def test_versions_are_looked_at_and_changed_by_names(cli: Run, shop: dict[str, int]) -> None:
    field = shop["topic"]
    listed = cli("models", "list", field, "--json").json
    assert cli("models", "list", "shop", "topic", "--json").json == listed
    assert cli("models", "list", shop[""], field, "--json").json == listed
    assert cli("models", "list", "tone of voice", "--json").status == 0
    assert cli("models", "show", "shop", "topic", 2, "--json").json["version"] == 2

    retired = cli("models", "retire", "shop", "topic", 2, "--json").json
    assert (retired["version"], retired["after"]) == (2, 1)
    events = cli("models", "history", "shop", "topic", "--json").json
    assert events == cli("models", "history", field, "--json").json
    assert [event["action"] for event in events] == ["retired"]
    for words in ([field], ["shop", "topic"], [shop[""], "topic"], ["tone of voice"]):
        assert cli("models", "compare", *words, 1, 2, "--json").json["versions"] == [1, 2]
    assert cli("models", "prune", "shop", "topic", "--dry-run", "--json").json[0]["version"] == 2


def test_a_name_that_nothing_has_ends_with_1_and_says_what_there_is(
    cli: Run, shop: dict[str, int]
) -> None:
    for arguments, says in (
        (("index", "shpo"), "no project is named 'shpo': did you mean 'shop'?"),
        (("index", "SHOP"), "no project is named 'SHOP': did you mean 'shop'?"),
        (("index", "zzz"), "no project is named 'zzz': there are 'other', 'shop'"),
        (("train", "shop", "topics"), "is named 'topics': did you mean 'topic'?"),
        (("models", "list", "topic"), "2 fields are named 'topic': name one by its number, "),
        (("models", "list", "shop", "tone"), "is named 'tone': there are 'tone of voice', 'topic'"),
        (("similar", "nope", "--text", "x"), "no project is named 'nope'"),
        (("duplicates", "nope"), "no project is named 'nope'"),
        (("tasks", "list", "--project", "nope"), "no project is named 'nope'"),
    ):
        outcome = cli(*arguments)
        assert (outcome.status, outcome.out) == (1, ""), arguments
        assert says in outcome.err, arguments


def test_a_name_that_several_projects_have_lists_their_numbers(
    cli: Run, shop: dict[str, int], database: Database
) -> None:
    twin = add_project(database, "shop")

    outcome = cli("train", "shop", "topic")

    assert (outcome.status, outcome.out) == (1, "")
    ids = f"{shop['']}, {twin['']}"
    assert f"2 projects are named 'shop': name one by its number, {ids}" in outcome.err


@pytest.mark.slow
def test_a_number_is_an_id_first_and_then_a_name(cli: Run, database: Database) -> None:
    year = add_project(database, "20250101", "5")
    first = add_project(database, str(year[""]), "label")

    assert cli("index", "20250101", "--json").json["request"]["project_id"] == year[""]
    assert cli("index", year[""], "--json").json["request"]["project_id"] == year[""]
    assert cli("index", first[""], "--json").json["request"]["project_id"] == first[""]
    # What is neither is refused by whoever does the work.
    assert cli("index", "4711", "--json").json["request"]["project_id"] == 4711
    for number in (0, 2**63, 2**70, "9" * 5_000):
        refused = cli("index", number)
        assert refused.status == 2
        assert "is no number from 1 on" in " ".join(refused.err.replace("│", " ").split())
    refused = cli("index", "٣")
    assert refused.status == 1
    assert "no project is named '٣'" in refused.err.replace("\n", "")
    assert cli("index", "a\udcffb").status == 1
    assert cli("index", "").status == 1
