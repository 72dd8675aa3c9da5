"""What keeps tasks waiting although all is there: pauses, queues without workers, dead holders."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from lexiclass_core.queue_config import QueueName
from lexiclass_core.statuses import Hindrance
from lexiclass_core.workers import hindrance
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.database import REMEDY, open_connection
from lexiclass_worker.telemetry.checks.outcome import Finding, Look, checked, listing

# Two looks of the reconciler: by then a task whose worker has died runs again.
_LOOKS: Final = 2

_LAPSED: Final = text("""
    SELECT id FROM task
    WHERE status = 'started'
      AND lease_expires_at < clock_timestamp() - make_interval(secs => :age_s)
    ORDER BY id LIMIT 1000
""")


@checked("queues", remedy=REMEDY)
async def check_queues(settings: Settings) -> Look:
    """Which queues are paused, or have no worker; both are warnings."""
    async with open_connection(settings) as connection, AsyncSession(connection) as session:
        found = {queue: await hindrance(session, queue) for queue in QueueName}
    paused = [queue.value for queue, what in found.items() if what is Hindrance.PAUSED]
    deserted = [queue.value for queue, what in found.items() if what is Hindrance.NO_WORKER]
    findings = []
    if paused:
        remedy = f"lexiclass-worker queues resume {paused[0]}"
        findings.append(Finding(f"paused: {', '.join(paused)}", remedy))
    if deserted:
        found_none = f"no worker listens to {', '.join(deserted)}"
        findings.append(Finding(found_none, "start one: lexiclass-worker run"))
    return Look("a worker listens to each", findings)


@checked("leases", remedy=REMEDY)
async def check_leases(settings: Settings) -> Look:
    """Which tasks were left by their workers, and nobody has taken over."""
    age_s = _LOOKS * settings.reconciler.interval_s
    async with open_connection(settings) as connection:
        tasks = list(await connection.scalars(_LAPSED, {"age_s": age_s}))
    if not tasks:
        return Look("none has lapsed")
    found = f"left by their workers for more than {age_s:g} s: tasks {listing(tasks)}"
    return Look("", [Finding(found, "start a worker, or lexiclass-worker reconcile")])
