"""Whether what the worker needs is there and can be used: for `check`, /readyz and the start."""

from typing import Final

from lexiclass_worker.telemetry.checks.broker import (
    check_redis,
    check_redis_memory,
    check_redis_persistence,
    check_redis_version,
)
from lexiclass_worker.telemetry.checks.broker_rights import check_redis_rights
from lexiclass_worker.telemetry.checks.clocks import check_postgresql_clock, check_redis_clock
from lexiclass_worker.telemetry.checks.database import check_postgresql, check_tables
from lexiclass_worker.telemetry.checks.database_rights import check_rights
from lexiclass_worker.telemetry.checks.database_server import (
    check_connections,
    check_postgresql_persistence,
    check_postgresql_version,
)
from lexiclass_worker.telemetry.checks.disks import check_cache, check_temporary_files
from lexiclass_worker.telemetry.checks.files import check_storage
from lexiclass_worker.telemetry.checks.outcome import Probe
from lexiclass_worker.telemetry.checks.processes import (
    check_containment,
    check_sandbox,
    check_settings,
    check_shared_memory,
    check_traces,
)
from lexiclass_worker.telemetry.checks.work import check_leases, check_queues

CHECKS: Final[dict[str, Probe]] = {
    "settings": Probe(look=check_settings),
    "redis": Probe(look=check_redis, decides=True),
    "redis rights": Probe(look=check_redis_rights, needs="redis", decides=True),
    "redis version": Probe(look=check_redis_version, needs="redis"),
    "redis persistence": Probe(look=check_redis_persistence, needs="redis"),
    "redis memory": Probe(look=check_redis_memory, needs="redis", decides=True),
    "redis clock": Probe(look=check_redis_clock, needs="redis"),
    "postgresql": Probe(look=check_postgresql, decides=True),
    "postgresql version": Probe(look=check_postgresql_version, needs="postgresql"),
    "postgresql persistence": Probe(look=check_postgresql_persistence, needs="postgresql"),
    "postgresql connections": Probe(look=check_connections, needs="postgresql"),
    "postgresql clock": Probe(look=check_postgresql_clock, needs="postgresql"),
    "tables": Probe(look=check_tables, needs="postgresql", decides=True),
    "rights": Probe(look=check_rights, needs="tables", decides=True),
    "storage": Probe(look=check_storage, decides=True),
    "cache": Probe(look=check_cache),
    "temporary files": Probe(look=check_temporary_files, decides=True),
    "shared memory": Probe(look=check_shared_memory, decides=True),
    "sandbox": Probe(look=check_sandbox, decides=True),
    "containment": Probe(look=check_containment, decides=True),
    "traces": Probe(look=check_traces),
    "queues": Probe(look=check_queues, needs="tables"),
    "leases": Probe(look=check_leases, needs="tables"),
}
"""Every check that a worker's own process can make, those that others need before these."""

DECIDING: Final[dict[str, Probe]] = {name: each for name, each in CHECKS.items() if each.decides}
"""Those without which no task can run: what /readyz answers by."""
