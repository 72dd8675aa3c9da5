"""What all that people do with a project here works on."""

from dataclasses import dataclass

from lexiclass_core.db import SessionFactory
from lexiclass_worker.artifacts.storage import Storage
from lexiclass_worker.config import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminContext:
    """The database and the storage of the settings."""

    sessions: SessionFactory
    storage: Storage
    settings: Settings
