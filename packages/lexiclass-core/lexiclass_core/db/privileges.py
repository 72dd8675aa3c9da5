"""Which privilege a refused statement needs, said as the GRANT that gives it."""

import re
from typing import Final

INSUFFICIENT_PRIVILEGE: Final = "42501"
"""The SQLSTATE of a statement that the role may not execute."""

_DENIED: Final = re.compile(r'permission denied for (?P<kind>[a-z ]+) "?(?P<name>[^"]+)"?$')
_TEMPORARY: Final = re.compile(r'to create temporary tables in database "(?P<name>[^"]+)"')
_OWNER: Final = re.compile(r'must be owner of (?P<kind>[a-z ]+) "?(?P<name>[^"]+)"?$')
_MAKES: Final = re.compile(r"\s*(CREATE|ALTER|DROP)\b", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_$]*")

_OF_KIND: Final = {
    "table": "SELECT, INSERT, UPDATE, DELETE ON TABLE",
    "view": "SELECT ON TABLE",
    "sequence": "USAGE, SELECT ON SEQUENCE",
    "function": "EXECUTE ON FUNCTION",
    "database": "CONNECT ON DATABASE",
}


def missing_grant(message: str, statement: str | None, role: str | None) -> str | None:
    """The statement that gives a role what it lacks; None if the message does not tell.

    ``message`` has PostgreSQL's words of an error with SQLSTATE 42501.
    """
    to = quoted_identifier(role) if role else "the role of the database URI"
    if found := _TEMPORARY.search(message):
        return f"GRANT TEMPORARY ON DATABASE {quoted_identifier(found['name'])} TO {to}"
    if found := _OWNER.search(message):
        return f"ALTER {found['kind'].upper()} {quoted_identifier(found['name'])} OWNER TO {to}"
    found = _DENIED.search(message)
    if found is None:
        return None
    if found["kind"] == "schema":
        what = f"{'CREATE' if _MAKES.match(statement or '') else 'USAGE'} ON SCHEMA"
    elif found["kind"] in _OF_KIND:
        what = _OF_KIND[found["kind"]]
    else:
        return None
    return f"GRANT {what} {quoted_identifier(found['name'])} TO {to}"


def quoted_identifier(name: str) -> str:
    """A name as SQL has it: in quotes where it needs them."""
    return name if _PLAIN.fullmatch(name) else '"' + name.replace('"', '""') + '"'
