"""The database: engine and sessions, and the migrations that shape it."""

from lexiclass_core.db.migrate import current_revision, head_revision, upgrade
from lexiclass_core.db.session import SessionFactory, create_engine, create_session_factory

__all__ = [
    "SessionFactory",
    "create_engine",
    "create_session_factory",
    "current_revision",
    "head_revision",
    "upgrade",
]
