"""The database: engine and sessions here, migrations in :mod:`lexiclass_core.db.migrate`.

Whoever only reads and writes rows does not load Alembic.
"""

from lexiclass_core.db.session import (
    SessionFactory,
    Transaction,
    create_engine,
    create_session_factory,
    single_statements,
    with_own_pool,
)

__all__ = [
    "SessionFactory",
    "Transaction",
    "create_engine",
    "create_session_factory",
    "single_statements",
    "with_own_pool",
]
