"""No row joins what is of two projects: every foreign key of the tables, in every mixture."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Executable, ForeignKeyConstraint, Table, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import Base
from tests.support.services import Workshop

OWNED = [
    "project", "project_index", "document", "field", "field_class", "document_label", "model",
    "label_suspect", "model_event", "prediction", "task", "task_event",
]  # fmt: skip
NOT_OWNED = {
    "queue_pause", "task_limit", "project_removal", "worker", "schema_support", "installation",
    "access_token", "audit_event", "plugin_catalog", "backup",
}  # fmt: skip
ROWS: dict[str, dict[str, Any]] = {
    "project": {"name": "p"},
    "project_index": {"name": "i"},
    "field": {"name": "f"},
    "field_class": {"name": "c"},
    "model": {"version": 1},
    "label_suspect": {"model_version": 1, "score": 0.5},
    "model_event": {"version": 1, "action": "trained"},
    "prediction": {"model_version": 1, "confidence": 0.5},
    "task": {"type": "predict_document_chunk"},
    "task_event": {"event": "started", "attempt": 1},
}
Rows = dict[str, dict[str, Any]]


def table(name: str) -> Table:
    return Base.metadata.tables[name]


def foreign_keys(name: str) -> list[tuple[str, dict[str, str]]]:
    """Of each foreign key of a table the other table, and its column for each column of this."""
    keys = [key for key in table(name).constraints if isinstance(key, ForeignKeyConstraint)]
    return [
        (key.referred_table.name,
         {element.parent.name: element.column.name for element in key.elements})
        for key in keys
    ]  # fmt: skip


async def insert(session: AsyncSession, name: str, row: dict[str, Any]) -> dict[str, Any]:
    found = await session.execute(table(name).insert().values(row).returning(table(name)))
    return dict(found.mappings().one())


async def make_rows(session: AsyncSession, key: str) -> Rows:
    """A row of each table, all of one project; that of a task is a chunk of another one."""
    rows: Rows = {}
    for name in OWNED:
        row = dict(ROWS.get(name, {}))
        for parent, columns in foreign_keys(name):
            if parent in rows:
                row |= {column: rows[parent][other] for column, other in columns.items()}
        if "project_id" in table(name).c:
            row["project_id"] = rows["project"]["id"]
        if name == "task":
            parent_row = await insert(session, name, {**row, "message_id": key})
            row |= {"message_id": f"{key}.0000", "parent_id": parent_row["id"]}
        rows[name] = await insert(session, name, row)
    return rows


async def owners(session: AsyncSession, name: str, row: dict[str, Any]) -> set[int]:
    """The projects that a row leads to, by every way there is."""
    if name == "project":
        return {row["id"]}
    found = {row["project_id"]} - {None} if "project_id" in row else set()
    for parent, columns in foreign_keys(name):
        if None in [row[column] for column in columns]:
            continue
        conditions = [table(parent).c[other] == row[column] for column, other in columns.items()]
        above = (await session.execute(table(parent).select().where(*conditions))).mappings().one()
        found |= await owners(session, parent, dict(above))
    return found


def mixtures(name: str, ours: Rows, theirs: Rows) -> Iterator[dict[str, Any]]:
    """Every choice of this or the other project for the columns that lead to one."""
    columns = {column for _, key in foreign_keys(name) for column in key}
    columns |= {"project_id"} & set(table(name).c.keys())
    for chosen in product((ours, theirs), repeat=len(columns)):
        yield {
            column: rows[name][column] for column, rows in zip(sorted(columns), chosen, strict=True)
        }


def test_each_table_is_of_a_project_or_of_none() -> None:
    assert {*OWNED, *NOT_OWNED} >= Base.metadata.tables.keys()
    reached = {"project"}
    for name in OWNED:
        if any(parent in reached for parent, _ in foreign_keys(name)) or name == "task":
            reached.add(name)
    assert reached == set(OWNED)


@pytest.mark.slow_variants(6)
@pytest.mark.parametrize("name", [name for name in OWNED if name != "project"])
async def test_no_row_of_a_table_joins_two_projects(workshop: Workshop, name: str) -> None:
    async with workshop.sessions.begin() as session:
        ours, theirs = await make_rows(session, "a"), await make_rows(session, "b")
    kept = {
        column: value
        for column, value in ours[name].items()
        if value is not None and column not in {"id", "created_at", "updated_at"}
    }
    refused = 0
    for mixture in mixtures(name, ours, theirs):
        changed = {**kept, **mixture}
        if name == "task":
            changed["message_id"] = "new"
        for statement in (
            table(name).insert().values(changed),
            table(name).update().where(table(name).c.id == ours[name]["id"]).values(mixture),
        ):
            async with workshop.sessions() as session:
                if statement.is_insert and name != "task":
                    # What is unique is not what refuses.
                    await session.execute(text(f"DELETE FROM {name}"))
                try:
                    written = await session.execute(statement.returning(table(name)))
                except IntegrityError:
                    refused += 1
                    continue
                row = dict(written.mappings().one())
                assert len(await owners(session, name, row)) == 1, mixture
    joins = sum(len(keys) for _, keys in foreign_keys(name)) > 1 and name != "model_event"
    assert not joins or refused


async def test_a_request_is_of_its_tasks_project(workshop: Workshop) -> None:
    insert = "INSERT INTO task (message_id, type, project_id, request) VALUES ({}, 'x', {}, '{}')"
    for number, (project, request) in enumerate(
        (
            ("7", '{"project_id"\\: 7}'), ("7", "{}"), ("7", "[]"), ("7", '"8"'),
            ("null", '{"project_id"\\: 8}'), ("7", '{"project_id"\\: null}'),
        )
    ):  # fmt: skip
        await workshop.execute(insert.format(f"'m{number}'", project, request))
    foreign = "is of project 7, and its request of project"
    for request in ('{"project_id"\\: 8}', '{"project_id"\\: "8"}', '{"project_id"\\: [7]}'):
        with pytest.raises(IntegrityError, match=foreign):
            await workshop.execute(insert.format("'n'", 7, request))
    with pytest.raises(IntegrityError, match=foreign):
        await workshop.execute(
            """UPDATE task SET request = '{"project_id"\\: 8}' WHERE message_id = 'm0'"""
        )
    with pytest.raises(IntegrityError, match="both must be of one"):
        await workshop.execute("UPDATE task SET project_id = 8 WHERE message_id = 'm0'")
    await workshop.execute("UPDATE task SET status = 'failed' WHERE message_id = 'm0'")


LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
STRAYS = """
    SELECT 1 FROM document_label l JOIN document d ON d.id = l.document_id
    JOIN field f ON f.id = l.field_id WHERE d.project_id <> f.project_id
"""


@dataclass(frozen=True)
class Movable:
    """A document and a field of one project, not joined yet, and another project."""

    document: int
    field: int
    class_id: int
    other: int

    def label(self) -> Executable:
        values = {"document_id": self.document, "field_id": self.field, "class_id": self.class_id}
        return table("document_label").insert().values(values)

    def move(self, name: str) -> Executable:
        moved = table(name).update().where(table(name).c.id == getattr(self, name))
        return moved.values(project_id=self.other)


async def movable(workshop: Workshop) -> Movable:
    async with workshop.sessions.begin() as session:
        project, other = [(await insert(session, "project", {"name": n}))["id"] for n in "ab"]
        document = await insert(session, "document", {"project_id": project})
        field = await insert(session, "field", {"project_id": project, "name": "f"})
        named = await insert(session, "field_class", {"field_id": field["id"], "name": "c"})
    return Movable(document["id"], field["id"], named["id"], other)


@asynccontextmanager
async def transaction(workshop: Workshop, level: str) -> AsyncIterator[AsyncSession]:
    """One that has begun to see what is committed."""
    async with workshop.sessions() as session:
        await session.connection(execution_options={"isolation_level": level})
        await session.execute(text("SELECT count(*) FROM document_label"))
        yield session


@pytest.mark.slow_variants(12)
@pytest.mark.parametrize("what", ["document", "field"])
@pytest.mark.parametrize("moves_at", LEVELS)
@pytest.mark.parametrize("writes_at", LEVELS)
@pytest.mark.parametrize("first", ["the move", "the label"])
async def test_transactions_side_by_side_join_no_two_projects(
    workshop: Workshop, first: str, writes_at: str, moves_at: str, what: str
) -> None:
    """Both have begun before either has written anything, and one commits before the other does."""
    rows = await movable(workshop)
    done = []

    async def commit(session: AsyncSession, statement: Executable) -> None:
        try:
            await session.execute(statement)
            await session.commit()
        except DBAPIError:
            await session.rollback()
        else:
            done.append(statement)

    async with (
        transaction(workshop, writes_at) as writing,
        transaction(workshop, moves_at) as moving,
    ):
        statements = [(moving, rows.move(what)), (writing, rows.label())]
        for session, statement in statements if first == "the move" else statements[::-1]:
            await commit(session, statement)

    assert await workshop.rows(STRAYS) == []
    assert len(done) == 1


@pytest.mark.parametrize("level", LEVELS)
async def test_a_move_waits_for_a_label_that_is_being_written(
    workshop: Workshop, level: str
) -> None:
    rows = await movable(workshop)
    async with (
        transaction(workshop, level) as writing,
        transaction(workshop, "READ COMMITTED") as moving,
    ):
        await writing.execute(rows.label())
        move = asyncio.create_task(moving.execute(rows.move("document")))
        await wait_until_blocked(workshop)
        await writing.commit()
        with pytest.raises(DBAPIError, match="has rows of document_label"):
            await move

    assert await workshop.rows(STRAYS) == []


async def wait_until_blocked(workshop: Workshop) -> None:
    blocked = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype <> 'advisory' AND pid IN "
    here = "(SELECT pid FROM pg_stat_activity WHERE datname = current_database())"
    while not await workshop.rows(blocked + here):
        await asyncio.sleep(0.02)
