"""Which version the tables have, and whether the programs of this release can use them.

Each release knows one version of the tables, that of its newest migration. It works with these,
and with newer ones that say they serve it (table ``schema_support``): the tables can be upgraded
while older workers run, and workers can go one release back without the tables. Older tables are
upgraded first.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

import lexiclass_core

MIGRATIONS: Final = Path(__file__).parent / "migrations"

# Asked for first: a statement that names a table which is not there ends the transaction.
_TABLES: Final = text("SELECT to_regclass('alembic_version'), to_regclass('schema_support')")
_VERSION: Final = text("SELECT max(version_num) FROM alembic_version")
_SERVES: Final = text("SELECT max(serves_from) FROM schema_support")


def known_version() -> str:
    """The newest version of the tables this release knows.

    Raises:
        RuntimeError: If the installation is incomplete.
    """
    # Alembic would say the same, and take longer to load than a command has.
    names = sorted(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    if not names:
        raise RuntimeError(f"no migrations under {MIGRATIONS}: the installation is incomplete")
    return names[-1].partition("_")[0]


class UnusableTables(Exception):
    """The tables are of another version; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a database beside this release.

    Attributes:
        found: Their version; None if there are none.
        serves_from: The oldest version whose workers they serve; None if they do not say.
    """

    found: str | None
    serves_from: str | None
    known: str

    @property
    def is_newer(self) -> bool:
        """Whether another release has made them."""
        return self.found is not None and self.found > self.known

    @property
    def problem(self) -> str | None:
        """Why this release cannot use them, and what to do; None if it can."""
        if self.found == self.known:
            return None
        if not self.is_newer:
            return (
                f"at version {self.found or 'none'}, expected {self.known}: "
                "run lexiclass-worker db upgrade"
            )
        if self.serves_from is not None and self.serves_from <= self.known:
            return None
        serves = f", and serve releases from {self.serves_from} on" if self.serves_from else ""
        return (
            f"at version {self.found}, newer than the {self.known} that this release "
            f"({lexiclass_core.__version__}) knows{serves}: install the release of "
            "lexiclass-worker that made them"
        )


async def read_schema(connection: AsyncConnection) -> Schema:
    """Ask a database for the version of its tables."""
    versions, support = (await connection.execute(_TABLES)).one()
    return Schema(
        found=await connection.scalar(_VERSION) if versions else None,
        serves_from=await connection.scalar(_SERVES) if support else None,
        known=known_version(),
    )
