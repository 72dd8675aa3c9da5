"""Options that several commands share, as fields of a dataclass."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from lexiclass.cli.option_groups import grouped


@dataclass(frozen=True, kw_only=True)
class Page:
    size: Annotated[int, typer.Option("--size", min=1, help="Rows.")] = 10
    names: Annotated[list[str] | None, typer.Argument(help="Which.")] = None

    def __post_init__(self) -> None:
        if self.size > 99:
            raise typer.BadParameter("too many")


app = typer.Typer()


@app.command()
@grouped
def show(page: Page, loud: Annotated[bool, typer.Option("--loud")] = False) -> None:
    """Show a page."""
    typer.echo(f"{page.size} {page.names} {loud}")


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.output


def test_each_field_is_an_option_or_argument_with_its_default() -> None:
    assert run() == (0, "10 None False\n")
    assert run("a", "b", "--size", "3", "--loud") == (0, "3 ['a', 'b'] True\n")


def test_help_and_limits_are_those_of_the_fields() -> None:
    _, text = run("--help")
    assert "Rows." in text
    assert "Show a page." in text
    assert run("--size", "0")[0] == 2


def test_what_a_group_refuses_is_wrong_usage() -> None:
    status, text = run("--size", "100")
    assert status == 2
    assert "too many" in text
