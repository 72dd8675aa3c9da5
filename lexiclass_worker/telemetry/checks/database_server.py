"""PostgreSQL: its version, what is in between, and how many connections are left."""

from typing import Final

from sqlalchemy import text

from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.database import REMEDY, open_connection, role_of
from lexiclass_worker.telemetry.checks.outcome import Finding, Look, checked

# Tables have gen_random_uuid() as a default, which is PostgreSQL's own since 13.
_OLDEST: Final = 130_000

_SESSION: Final = text("SELECT current_setting('server_version_num')::int, pg_backend_pid()")
_DURABILITY: Final = text("""
    SELECT current_setting('fsync') AS fsync,
           current_setting('full_page_writes') AS full_page_writes,
           current_setting('synchronous_commit') AS synchronous_commit
""")
_ROOM: Final = text("""
    SELECT current_setting('max_connections')::int
             - current_setting('superuser_reserved_connections')::int
             - coalesce(current_setting('reserved_connections', true)::int, 0)
             - (SELECT coalesce(sum(numbackends), 0)::int FROM pg_stat_database),
           (SELECT nullif(rolconnlimit, -1) - (
                SELECT count(*) FROM pg_stat_activity WHERE usename = rolname
            ) FROM pg_roles WHERE rolname = current_user),
           (SELECT nullif(datconnlimit, -1) - numbackends FROM pg_database
            JOIN pg_stat_database USING (datname) WHERE datname = current_database()),
           current_setting('max_connections'), current_database()
""")


@checked("postgresql version", remedy=REMEDY)
async def check_postgresql_version(settings: Settings) -> Look:
    """Whether PostgreSQL is as new as the tables need it, and whether a pooler is in between."""
    async with open_connection(settings) as connection:
        number, pid = (await connection.execute(_SESSION)).one()
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        # A pooler gives its clients process ids of its own.
        has_pooler = driver is not None and driver.get_server_pid() != pid
    version = f"{number // 10_000}.{number % 10_000}"
    detail = f"{version}, {'through a pooler' if has_pooler else 'without a pooler'}"
    if number >= _OLDEST:
        return Look(detail)
    found = f"PostgreSQL {version} is older than any that this release can use"
    return Look(detail, [Finding(found, "upgrade to PostgreSQL 13 or newer")])


@checked("postgresql persistence", remedy=REMEDY)
async def check_postgresql_persistence(settings: Settings) -> Look:
    """Whether PostgreSQL has on a disk what it confirms."""
    async with open_connection(settings) as connection:
        values = (await connection.execute(_DURABILITY)).mappings().one()
    findings = [
        Finding(
            f"{name} is off, so a crash of its machine takes back what was confirmed",
            f"ALTER SYSTEM SET {name} = on; SELECT pg_reload_conf()",
        )
        for name, value in values.items()
        if value == "off"
    ]
    return Look(", ".join(f"{name} is {value}" for name, value in values.items()), findings)


@checked("postgresql connections", remedy=REMEDY)
async def check_connections(settings: Settings) -> Look:
    """Whether another worker process finds the connections that it may open."""
    needed = 2 * settings.database.pool_size + 2
    async with open_connection(settings) as connection:
        of_all, of_role, of_database, most, name = (await connection.execute(_ROOM)).one()
        role = await role_of(connection)
    limits = (
        (of_all, f"max_connections ({most})", "raise max_connections in postgresql.conf"),
        (of_role, f"the limit of role {role}", f"ALTER ROLE {role} CONNECTION LIMIT -1"),
        (
            of_database,
            f"the limit of database {name}",
            f"ALTER DATABASE {name} CONNECTION LIMIT -1",
        ),
    )
    findings = [
        Finding(
            f"{max(left, 0)} connections are left of {limit}, and a worker process opens up to "
            f"{needed}",
            f"{remedy}, put a pooler in between, or lower DATABASE__POOL_SIZE",
        )
        for left, limit, remedy in limits
        if left is not None and left < needed
    ]
    return Look(f"{of_all} are left of max_connections ({most})", findings)
