"""Tells others which plugins a worker has, and which parameters these take."""

import asyncio
import json
from typing import Any, Final

from loguru import logger

from lexiclass_core.db.errors import DATABASE_ERRORS
from lexiclass_core.storable import storable
from lexiclass_worker.causes import cause_of
from lexiclass_worker.errors import WorkerError
from lexiclass_worker.jobs.plugins import DescribePluginsJob
from lexiclass_worker.middleware.background import BackgroundWork
from lexiclass_worker.middleware.registration import Registration
from lexiclass_worker.middleware.sandbox import WarmSandbox

_PAUSE_S: Final = 60.0
_TIMEOUT_S: Final = 10.0

# Twenty plugins are described in thirty thousand.
_MOST_CHARACTERS: Final = 2_000_000


class PluginPublication(BackgroundWork):
    """Looks once, in a child: whoever has no machine learning reads what it has found.

    Comes after Registration, whose row it adds to, and WarmSandbox.
    """

    def __init__(self, registration: Registration, sandbox: WarmSandbox) -> None:
        super().__init__()
        self._registration = registration
        self._sandbox = sandbox
        self._is_done = False

    async def prepare(self) -> None:
        """Look before the first message is taken: it takes a tenth of a second."""
        try:
            # An entry point of somebody else's may take for ever.
            async with asyncio.timeout(_TIMEOUT_S):
                await self._registration.registry.publish_plugins(await self._describe())
        except (WorkerError, *DATABASE_ERRORS, OSError) as error:
            logger.warning("The plugins are not published: {error}", error=cause_of(error))
        else:
            self._is_done = True

    async def work(self) -> None:
        """Go on until that is done."""
        while not self._is_done:
            await asyncio.sleep(_PAUSE_S)
            await self.prepare()
        await asyncio.Event().wait()

    async def _describe(self) -> dict[str, Any]:
        found = await self._sandbox.sandbox.run(DescribePluginsJob())
        content = {"plugins": storable(found["plugins"])}
        if (length := len(json.dumps(content))) > _MOST_CHARACTERS:
            logger.warning("The plugins are not published: they take {} characters", length)
            return {"plugins": []}
        return content
