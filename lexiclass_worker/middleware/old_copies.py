"""Copies of an object store's files go when they were not used for long."""

import asyncio
from typing import Final

from loguru import logger

from lexiclass_worker.artifacts.copies import remove_old
from lexiclass_worker.artifacts.kept_copies import cache_directory
from lexiclass_worker.middleware.background import BackgroundWork
from lexiclass_worker.setting_groups import StorageSettings

_LONGEST_PAUSE_S: Final = 3_600.0


class OldCopies(BackgroundWork):
    """Every process looks from time to time; what another has removed is gone already."""

    def __init__(self, settings: StorageSettings) -> None:
        super().__init__()
        self._settings = settings

    async def work(self) -> None:
        """Remove old copies, where there can be any."""
        if "://" not in self._settings.base_path:
            await asyncio.Event().wait()
        age_s = self._settings.cache_age_s
        while True:
            try:
                cache = cache_directory(self._settings)
                removed = await asyncio.to_thread(remove_old, cache, older_than_s=age_s)
            except OSError as error:
                logger.warning("Old copies could not be removed: {error}", error=error)
            else:
                if removed:
                    logger.info("Removed {count} copies that were not used", count=len(removed))
            await asyncio.sleep(min(age_s / 4, _LONGEST_PAUSE_S))
