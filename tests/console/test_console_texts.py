"""Pages with texts, where the storage takes long."""

from dataclasses import replace
from pathlib import Path, PurePosixPath

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from lexiclass_console import ConsoleSettings, create_console
from lexiclass_core.db import SessionFactory, create_engine
from lexiclass_core.documents.directory import DirectoryTexts
from lexiclass_core.statuses import Role
from tests.support.console import browser, log_in, words

ROWS = (
    "INSERT INTO project (id, name) VALUES (7, 'news')",
    "INSERT INTO field (id, project_id, name) VALUES (3, 7, 'topic')",
    "INSERT INTO field_class (id, field_id, name) VALUES (1, 3, 'sports')",
    "INSERT INTO document (id, project_id) VALUES (1, 7)",
    (
        "INSERT INTO prediction (document_id, field_id, class_id, model_version, confidence, "
        "is_accepted) VALUES (1, 3, 1, 1, 0.5, false)"
    ),
)


class WatchedTexts(DirectoryTexts):
    """Notes how many connections to the database are in use while a text is read."""

    def __init__(self, base_path: Path, engine: AsyncEngine) -> None:
        super().__init__(base_path)
        self._engine = engine
        self.in_use: list[str] = []

    def read_beginning(self, path: PurePosixPath, size: int) -> bytes | None:
        self.in_use.append(self._engine.pool.status())
        return super().read_beginning(path, size)


@pytest.mark.parametrize("path", ["/documents/1", "/fields/3/review"])
async def test_no_connection_to_the_database_waits_for_a_text(
    database_uri: str, broker_url: str, sessions: SessionFactory, tmp_path: Path, path: str
) -> None:
    folder = tmp_path / "7" / "documents"
    folder.mkdir(parents=True)
    (folder / "1.txt").write_text("The match was won")
    async with sessions.begin() as session:
        for statement in ROWS:
            await session.execute(text(statement))
    engine = create_engine(database_uri)
    console = create_console(
        engine=engine,
        broker_url=broker_url,
        settings=ConsoleSettings(texts_from=Role.VIEWER),
        storage=str(tmp_path),
    )
    texts = WatchedTexts(tmp_path, engine)
    console.state.console = replace(console.state.console, texts=texts)
    try:
        async with browser(console) as client:
            await log_in(client, sessions, Role.VIEWER)
            page: httpx.Response = await client.get(path)
    finally:
        await engine.dispose()
    assert "The match was won" in words(page)
    assert ["Current Checked out connections: 0" in each for each in texts.in_use] == [True]
