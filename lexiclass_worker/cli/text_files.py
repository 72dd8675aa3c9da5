"""A text that is given as a file, or by a pipe."""

from pathlib import Path
from typing import Annotated, Final

import typer

STDIN: Final = Path("-")


def _there(file: Path | None) -> Path | None:
    if file is not None and file != STDIN and not file.exists():
        raise typer.BadParameter(f"there is no file {str(file)!r}")
    return file


TextFile = Annotated[
    Path | None,
    typer.Option(help="A file in any format that is imported; - is stdin.", callback=_there),
]
