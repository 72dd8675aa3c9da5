"""PostgreSQL: whether the role may do with each table what workers do."""

from typing import Final

from sqlalchemy import text

from lexiclass_core.db.privileges import quoted_identifier
from lexiclass_core.models import Base
from lexiclass_worker.config import Settings
from lexiclass_worker.telemetry.checks.database import REMEDY, open_connection, role_of
from lexiclass_worker.telemetry.checks.outcome import Look, NotUsable, checked, listing

_RIGHTS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")

_REFUSED: Final = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND relname = ANY(:tables)
      AND NOT (has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
               AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))
    ORDER BY relname
""")
_SEQUENCES: Final = text("""
    SELECT sequence.relname FROM pg_class AS sequence
    JOIN pg_depend ON pg_depend.objid = sequence.oid
      AND pg_depend.classid = 'pg_class'::regclass AND pg_depend.refclassid = 'pg_class'::regclass
    JOIN pg_class AS owner ON owner.oid = pg_depend.refobjid
    WHERE sequence.relnamespace = current_schema()::regnamespace AND owner.relname = ANY(:tables)
      AND CASE sequence.relkind
          WHEN 'S' THEN NOT has_sequence_privilege(sequence.oid, 'USAGE') ELSE false END
    ORDER BY sequence.relname
""")
_OTHERS: Final = text("""
    SELECT has_database_privilege(current_database(), 'TEMPORARY'), current_database(),
           current_schema()
""")


@checked("rights", remedy=REMEDY)
async def check_rights(settings: Settings) -> Look:
    """Whether the role may read and write every table of ours, and make temporary ones."""
    async with open_connection(settings) as connection:
        names = list(Base.metadata.tables)
        tables = list(await connection.scalars(_REFUSED, {"tables": names}))
        # Those of another program, which may have its tables in the same schema, are not asked for.
        sequences = list(await connection.scalars(_SEQUENCES, {"tables": names}))
        may_make_temporary, database, schema = (await connection.execute(_OTHERS)).one()
        role = await role_of(connection)
    found, remedies, within = [], [], f"IN SCHEMA {quoted_identifier(schema)} TO {role}"
    if tables:
        found.append(f"may not read and write {listing(tables)}")
        remedies.append(f"GRANT {', '.join(_RIGHTS)} ON ALL TABLES {within}")
    if sequences:
        found.append(f"may not use {listing(sequences)}")
        remedies.append(f"GRANT USAGE, SELECT ON ALL SEQUENCES {within}")
    if not may_make_temporary:
        found.append("may not make temporary tables")
        remedies.append(f"GRANT TEMPORARY ON DATABASE {quoted_identifier(database)} TO {role}")
    if found:
        raise NotUsable(f"role {role} {', and '.join(found)}", "; ".join(remedies))
    return Look(f"role {role} may read and write every table")
