"""``lexiclass-worker console ...``: the tasks, queues and workers in a browser."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.markup import escape

from lexiclass_core.statuses import Role
from lexiclass_worker.cli.connections import open_sessions
from lexiclass_worker.cli.output import console
from lexiclass_worker.config import ConfigurationError, Settings, load_settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

app = typer.Typer(help="See tasks, queues and workers in a browser, and act.")

_MISSING: Final = (
    "the console is not installed: pip install packages/lexiclass-console, or the extra console"
)


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
    """Serve the console until Ctrl-C, and print a link that lets you in once."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    settings.require_database_uri()
    chosen = host or settings.console.host, port or settings.console.port
    try:
        from lexiclass_console.server import NotProtected, require_protection
        from lexiclass_console.server import serve as run
    except ImportError as error:
        raise ConfigurationError(f"{_MISSING} ({error})") from None
    try:
        require_protection(chosen[0], settings.console.access)
    except NotProtected as error:
        raise ConfigurationError(str(error)) from None
    made = _make(settings)
    token = asyncio.run(_issue(settings, "operator", Role.ADMIN))
    _print_link(f"http://{_shown(chosen[0])}:{chosen[1]}", token)
    run(made, *chosen)


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
    served = f"http://{_shown(settings.console.host)}:{settings.console.port}"
    _print_link((address or served).rstrip("/"), asyncio.run(_issue(settings, name, role)))


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


def _make(settings: Settings) -> Starlette:
    from lexiclass_console import create_console

    keys = settings.dramatiq.signing_keys
    return create_console(
        database_uri=settings.require_database_uri(),
        broker_url=settings.dramatiq.broker_url.get_secret_value(),
        namespace=settings.dramatiq.namespace,
        signing_keys=None if keys is None else keys.get_secret_value(),
        settings=settings.console.access,
    )


async def _issue(settings: Settings, name: str, role: Role) -> str:
    from lexiclass_core.access.tokens import User, issue_login

    async with open_sessions(settings) as sessions, sessions.begin() as session:
        return await issue_login(session, User(name, role))


def _print_link(address: str, token: str) -> None:
    console.print(f"console: {escape(address)}", highlight=False, soft_wrap=True)
    console.print(
        f"lets you in once: {escape(address)}/login?token={token}", highlight=False, soft_wrap=True
    )


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
