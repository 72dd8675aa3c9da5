"""``db ...`` and what every command says of a database that it cannot use."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.db import migrate
from lexiclass_core.db.schema import known_version
from lexiclass_worker.cli import database as database_commands
from tests.support.commands import Outcome, Run
from tests.support.database import Database

UPGRADE_LOCK = 1_279_613_001


@contextmanager
def busy(database_uri: str, statement: str) -> Iterator[threading.Event]:
    """Somebody else's transaction, with what a statement locks, until the event that it gives."""
    with Database(database_uri) as other:
        holds, ends = threading.Event(), threading.Event()

        async def work(session: AsyncSession) -> None:
            await session.execute(text(statement))
            holds.set()
            await asyncio.to_thread(ends.wait)

        thread = threading.Thread(target=other.run, args=(work,))
        thread.start()
        try:
            assert holds.wait(30)
            yield ends
        finally:
            ends.set()
            thread.join()


ANOTHER_UPGRADE = f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})"


@pytest.mark.slow_variants
@pytest.mark.parametrize("timeout_s", [None, "600"])
def test_an_upgrade_waits_for_another_for_as_long_as_that_takes(
    cli: Run, database_uri: str, monkeypatch: pytest.MonkeyPatch, timeout_s: str | None
) -> None:
    if timeout_s is not None:
        monkeypatch.setenv("DATABASE__COMMAND_TIMEOUT_S", timeout_s)
    monkeypatch.setattr(migrate, "_SILENT_S", 0.0)
    tell = database_commands._tell
    with busy(database_uri, ANOTHER_UPGRADE) as ends:

        def tell_and_end(what: str) -> None:
            tell(what)
            ends.set()

        monkeypatch.setattr(database_commands, "_tell", tell_and_end)
        outcome = cli("db", "upgrade", "--json")

    assert outcome.json == {"before": known_version(), "now": known_version()}
    assert "waiting for process " in outcome.err


def test_an_upgrade_gives_up_where_a_setting_says_so_and_names_it(
    cli: Run, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE__COMMAND_TIMEOUT_S", "0.5")
    with busy(database_uri, ANOTHER_UPGRADE):
        outcome = cli("db", "upgrade")

    assert outcome.status == 1
    assert "another upgrade of the tables is at work" in outcome.err
    assert "DATABASE__COMMAND_TIMEOUT_S is 0.5" in outcome.err


@pytest.mark.slow
def test_an_upgrade_of_tables_in_use_gives_up_where_a_setting_says_so_and_names_it(
    cli: Run, database: Database, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("DROP TABLE worker, schema_support")
    database.execute("UPDATE alembic_version SET version_num = '0007'")
    monkeypatch.setattr(migrate, "_LOCK_TIMEOUT_S", 0.1)
    monkeypatch.setattr(migrate, "_PAUSE_S", 0.1)
    monkeypatch.setenv("DATABASE__COMMAND_TIMEOUT_S", "1")
    with busy(database_uri, "LOCK TABLE alembic_version IN SHARE MODE"):
        outcome = cli("db", "upgrade")

    assert outcome.status == 1
    assert "others have used the tables for " in outcome.err
    assert "DATABASE__COMMAND_TIMEOUT_S is 1:" in outcome.err


def say_version(database: Database, version: str, serves_from: str | None) -> None:
    """Let the tables be those of another release."""
    database.execute("UPDATE alembic_version SET version_num = :v", v=version)
    if serves_from is None:
        database.execute("DROP TABLE schema_support")
    else:
        database.execute("UPDATE schema_support SET serves_from = :v", v=serves_from)


def tables_check(outcome: Outcome) -> dict[str, str]:
    return next(row for row in outcome.json["checks"] if row["check"] == "tables")


@pytest.mark.slow_variants
@pytest.mark.parametrize("serves_from", [None, "9999"])
def test_newer_tables_that_do_not_serve_this_release_are_named_as_that(
    cli: Run, database: Database, serves_from: str | None
) -> None:
    say_version(database, "9999", serves_from)
    expected = f"at version 9999, newer than the {known_version()} that this release"

    current = cli("db", "current", "--json")
    upgrade = cli("db", "upgrade")
    check = cli("check", "--json")

    assert expected in current.json["state"]
    assert expected in upgrade.err
    assert expected in tables_check(check)["found"]
    assert (current.status, upgrade.status, check.status) == (0, 1, 1)
    for outcome in (current, upgrade, check):
        said = outcome.out + outcome.err
        assert "install the release of lexiclass-worker that made them" in said
        assert "db upgrade" not in said
        assert "Traceback" not in said


def test_newer_tables_that_serve_this_release_are_used_and_left_as_they_are(
    cli: Run, database: Database
) -> None:
    say_version(database, "9999", known_version())

    assert cli("db", "current", "--json").json["state"] == "newer, and serve this release"
    assert cli("db", "upgrade", "--json").json == {"before": "9999", "now": "9999"}
    assert tables_check(cli("check", "--json"))["state"] == "pass"
    assert cli("index", 7).status == 0


@pytest.mark.parametrize("command", [("tasks", "list"), ("project", "list"), ("index", "1")])
def test_a_command_on_tables_of_another_version_says_what_check_says(
    cli: Run, database: Database, command: tuple[str, ...]
) -> None:
    database.execute("DROP SCHEMA public CASCADE")
    database.execute("CREATE SCHEMA public")

    outcome = cli(*command)

    assert outcome.status == 1
    assert f"at version none, expected {known_version()}: run lexiclass-worker" in outcome.err


WRONG = [
    ({"password": "wrong"}, 'password authentication failed for user "{role}"'),
    ({"database": "nothere"}, 'database "nothere" does not exist'),
    ({"username": "nobody"}, 'password authentication failed for user "nobody"'),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
@pytest.mark.parametrize("command", [("db", "upgrade"), ("tasks", "list"), ("check",)])
def test_what_a_uri_has_wrong_is_told_in_the_words_of_postgresql(
    cli: Run,
    database_uri: str,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    words: str,
    command: tuple[str, ...],
) -> None:
    url = make_url(database_uri)
    uri = url.set(**change).render_as_string(hide_password=False)
    monkeypatch.setenv("DATABASE_URI", uri)

    outcome = cli(*command)

    assert outcome.status == 1
    said = " ".join((outcome.out + outcome.err).split())
    assert words.format(role=url.username) in said or command == ("check",)
    assert "log" not in outcome.err
    assert str(url.password) not in said


@pytest.mark.slow
def test_a_role_that_may_not_make_tables_is_told_which_grant_it_needs(
    cli: Run, database: Database, database_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute("DROP SCHEMA public CASCADE")
    database.execute("CREATE SCHEMA public")
    database.execute("DROP ROLE IF EXISTS app")
    database.execute("CREATE ROLE app LOGIN PASSWORD 'x'")
    database.execute("GRANT USAGE ON SCHEMA public TO app")
    url = make_url(database_uri).set(username="app", password="x")
    monkeypatch.setenv("DATABASE_URI", url.render_as_string(hide_password=False))

    check, outcome = cli("check", "--json"), cli("db", "upgrade")

    grant = "after GRANT CREATE ON SCHEMA public TO app"
    assert tables_check(check)["remedy"] == f"run lexiclass-worker db upgrade, {grant}"
    assert outcome.status == 1
    assert "permission denied for schema public" in outcome.err
    assert "GRANT CREATE ON SCHEMA public TO app" in outcome.err
    database.execute("GRANT CREATE ON SCHEMA public TO app")
    assert cli("db", "upgrade").status == 0
    database.execute("DROP OWNED BY app CASCADE")
    database.execute("DROP ROLE app")
