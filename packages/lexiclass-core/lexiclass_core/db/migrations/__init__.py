"""Alembic migrations of the tables in :mod:`lexiclass_core.models`."""
