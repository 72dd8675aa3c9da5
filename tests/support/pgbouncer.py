"""A real PgBouncer before the tests' PostgreSQL: Debian's package, or another named by PATH."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.engine import make_url

from lexiclass_worker.embedded.process import free_port
from tests.support.workers import wait_until

# Whatever it is given it runs under another account than root, which it refuses.
_ACCOUNT = "nobody"


def program() -> str:
    """Where it is.

    Raises:
        RuntimeError: If it is not installed.
    """
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise RuntimeError("pgbouncer is not installed: apt-get install pgbouncer")
    return found


@contextmanager
def running_pgbouncer(database_uri: str, directory: Path, **settings: str) -> Iterator[str]:
    """A pooler of a few sessions in transaction mode, for the time of a ``with`` block.

    Args:
        database_uri: What it leads to.
        directory: For its files.
        **settings: Of its section ``[pgbouncer]``.

    Yields:
        The URI of the same database through it.
    """
    server = make_url(database_uri)
    port = free_port()
    log = directory / "pgbouncer.log"
    users, ini = directory / "users.txt", directory / "pgbouncer.ini"
    users.write_text(f'"{server.username}" "{server.password}"\n')
    ini.write_text(_ini(server, port, users, settings))
    for file in (directory, users, ini):
        file.chmod(0o755 if file.is_dir() else 0o644)
    account = [f"--user={_ACCOUNT}"] if os.geteuid() == 0 else []
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program(), *account, str(ini)], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: "process up" in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield server.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait()


def _ini(server: URL, port: int, users: Path, settings: dict[str, str]) -> str:
    chosen = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "auth_type": "plain",
        "auth_file": str(users),
        "pool_mode": "transaction",
        "default_pool_size": "6",
        "unix_socket_dir": "",
        **settings,
    }
    lines = "\n".join(f"{name} = {value}" for name, value in chosen.items())
    return f"[databases]\n* = host={server.host} port={server.port}\n[pgbouncer]\n{lines}\n"
