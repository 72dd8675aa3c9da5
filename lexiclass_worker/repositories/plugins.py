"""Which plugins workers have: what they describe is kept once, and each names what it has."""

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import delete, exists, func, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.models import PluginCatalog, Worker

# What no worker has is still shown, while none is there and for a while after an upgrade.
_KEPT: Final = timedelta(days=1)


async def publish(session: AsyncSession, worker: str, content: Mapping[str, Any]) -> str:
    """Say which plugins a worker has, and return the digest of that.

    The content is what :mod:`lexiclass_core.plugins` reads; it can be stored.
    """
    as_text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(as_text.encode()).hexdigest()
    now = func.clock_timestamp()
    await session.execute(
        insert(PluginCatalog)
        .values(digest=digest, content=dict(content), seen_at=now)
        .on_conflict_do_update(index_elements=[PluginCatalog.digest], set_={"seen_at": now})
    )
    await session.execute(update(Worker).where(Worker.name == worker).values(plugins_digest=digest))
    await session.execute(
        delete(PluginCatalog).where(
            PluginCatalog.seen_at < now - _KEPT,
            ~exists().where(Worker.plugins_digest == PluginCatalog.digest),
        )
    )
    return digest
