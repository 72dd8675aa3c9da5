"""``lexiclass-worker console ...``: the tasks, queues and workers in a browser."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from lexiclass_core.statuses import Role
from lexiclass_worker.cli.connections import in_session
from lexiclass_worker.cli.output import console
from lexiclass_worker.config import ConfigurationError, Settings, load_settings

if TYPE_CHECKING:
    from socket import socket

    from starlette.applications import Starlette

app = typer.Typer(help="See tasks, queues and workers in a browser, and act.")

_MISSING: Final = (
    "the console is not installed: pip install packages/lexiclass-console, or the extra console"
)

# Ports after 8080 that stand in for it where nobody has chosen one.
_FURTHER_PORTS: Final = 20


@app.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(help="Address to listen at, instead of CONSOLE__HOST.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Instead of CONSOLE__PORT.")
    ] = None,
) -> None:
    """Serve the console until Ctrl-C; without accounts, print a link that lets you in once."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    settings.require_database_uri()
    chosen = host or settings.console.host, port or settings.console.port
    try:
        from lexiclass_console.server import serve as run
    except ImportError as error:
        raise ConfigurationError(f"{_MISSING} ({error})") from None
    listening = _listen(settings, *chosen)
    made, address = _make(settings), _address(listening, chosen[0])
    if settings.console.access.asks_who:
        # What is printed is the log of a container, and whoever may read that is no admin by it.
        _print_address(address)
    else:
        _print_link(address, _issue(settings, "operator", Role.ADMIN))
    run(made, listening)


@contextmanager
def console_beside(settings: Settings) -> Iterator[None]:
    """Serve the console from a thread of this process for the time of a ``with`` block.

    A link that lets in once is printed, or why there is no console: nothing else depends on it.

    Raises:
        ConfigurationError: If the address that the settings name cannot be used.
    """
    try:
        from lexiclass_console.server import serving
    except ImportError as error:
        console.print(f"{_MISSING} ({error})", markup=False, highlight=False, soft_wrap=True)
        yield
        return
    is_chosen = "port" in settings.console.model_fields_set
    host = settings.console.host
    further = 0 if is_chosen else _FURTHER_PORTS
    listening = _listen(settings, host, settings.console.port, further=further)
    with serving(_make(settings), listening):
        address = _address(listening, host)
        _print_link(address, _issue(settings, "operator", Role.ADMIN))
        is_known = address == _configured_address(settings)
        option = "" if is_known else f" --address {address}"
        console.print(
            f"another link: lexiclass-worker console link{escape(option)}",
            highlight=False,
            soft_wrap=True,
        )
        yield


@app.command()
def link(
    name: Annotated[str, typer.Option(help="Who comes in with it; in the audit.")] = "operator",
    role: Annotated[Role, typer.Option(help="What they may do.")] = Role.ADMIN,
    address: Annotated[
        str | None,
        typer.Option(help="Where the console is reached, such as https://ops/lexiclass."),
    ] = None,
) -> None:
    """Print a link that lets somebody in once, within a quarter of an hour."""
    settings = load_settings()
    _print_link(
        (address or _configured_address(settings)).rstrip("/"),
        _issue(settings, name, role),
    )


@app.command("hash-password")
def hash_password() -> None:
    """Ask for a password, or read it from standard input, and print its hash."""
    try:
        from lexiclass_console.access import passwords
    except ImportError as error:
        raise ConfigurationError(f"{_MISSING} ({error})") from None
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.read().rstrip("\r\n")
    if not password:
        raise ConfigurationError("the password is empty")
    typer.echo(passwords.hash_password(password))


def _listen(settings: Settings, host: str, port: int, *, further: int = 0) -> socket:
    from lexiclass_console.server import CannotListen, NotProtected, listen, require_protection

    try:
        require_protection(host, settings.console.access)
        return listen(host, port, further=further)
    except (CannotListen, NotProtected) as error:
        raise ConfigurationError(str(error)) from None


def _configured_address(settings: Settings) -> str:
    return f"http://{_shown(settings.console.host)}:{settings.console.port}"


def _address(listening: socket, host: str) -> str:
    return f"http://{_shown(host)}:{listening.getsockname()[1]}"


def _make(settings: Settings) -> Starlette:
    from lexiclass_console import create_console

    keys, storage_keys = settings.dramatiq.signing_keys, settings.storage.signing_keys
    return create_console(
        database_uri=settings.require_database_uri(),
        broker_url=settings.dramatiq.broker_url.get_secret_value(),
        namespace=settings.dramatiq.namespace,
        signing_keys=None if keys is None else keys.get_secret_value(),
        settings=settings.console.access,
        storage=settings.storage.base_path,
        storage_keys=None if storage_keys is None else storage_keys.get_secret_value(),
    )


def _issue(settings: Settings, name: str, role: Role) -> str:
    from lexiclass_core.access.tokens import User, issue_login

    return in_session(settings, lambda session: issue_login(session, User(name, role)))


def _print_address(address: str) -> None:
    console.print(f"console: {escape(address)}", highlight=False, soft_wrap=True)


def _print_link(address: str, token: str) -> None:
    _print_address(address)
    console.print(
        f"lets you in once: {escape(address)}/login?token={token}", highlight=False, soft_wrap=True
    )


def _shown(host: str) -> str:
    """A host as addresses name it; of one that stands for all of them, the one of this machine."""
    # Under the others it is not reached unless they are allowed.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - none is listened at
    return f"[{host}]" if ":" in host else host
