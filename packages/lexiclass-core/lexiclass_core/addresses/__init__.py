"""Where the servers are: the one place that reads URLs of PostgreSQL and Redis.

Settings, engines, clients, logs and commands all ask here, so a URL that one of them takes, all
take, with the same password. What cannot be read without a guess is refused, by the name of what is
wrong: no message, ``repr`` or shown form has any part of a password in it.
"""

from lexiclass_core.addresses.postgresql import POSTGRESQL_FORM, PostgreSQLAddress
from lexiclass_core.addresses.redis import RedisAddress
from lexiclass_core.addresses.url import InvalidAddress

__all__ = [
    "POSTGRESQL_FORM",
    "InvalidAddress",
    "PostgreSQLAddress",
    "RedisAddress",
]
