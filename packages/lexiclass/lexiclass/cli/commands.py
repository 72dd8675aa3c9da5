"""Commands that are imported when they are run or described: none costs what another needs.

The module of a command imports what declares its options; what it works with is imported where it
works.
"""

import platform
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


def lazy_app(
    places: Mapping[str, str], *, distributions: tuple[str, ...], **options: Any
) -> typer.Typer:
    """A command line with ``--version``, whose commands are imported one by one.

    Args:
        places: By name of the command, ``package.module:attribute`` of a function or an app.
        distributions: Whose versions ``--version`` prints, the command's own first.
        **options: The others of :class:`typer.Typer`.
    """

    class _Group(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands: Any = _Commands(places)

        def list_commands(self, ctx: Any) -> list[str]:
            del ctx
            return list(places)

    app = typer.Typer(cls=_Group, no_args_is_help=True, pretty_exceptions_enable=False, **options)
    app.callback()(_with_version(distributions))
    return app


def _with_version(distributions: tuple[str, ...]) -> Callable[..., None]:
    def print_version(is_asked: bool) -> None:
        if is_asked:
            own, *others = (f"{name} {version(name)}" for name in distributions)
            typer.echo(f"{own} ({', '.join([*others, f'Python {platform.python_version()}'])})")
            raise typer.Exit

    def root(
        _version: Annotated[
            bool,
            typer.Option(
                "--version", help="Print the version.", callback=print_version, is_eager=True
            ),
        ] = False,
    ) -> None:
        pass

    return root


class _Commands(Mapping[str, Any]):
    """What Typer takes for its dictionary of commands; a command is made when it is looked up."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = self._places[name].partition(":")
        found = getattr(import_module(module), attribute)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
            single.command(name)(found)
            command = typer.main.get_command(single)
        command.name = name
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
