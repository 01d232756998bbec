"""What all commands print: tables, JSON, errors."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from stoculus.errors import StoculusError

if TYPE_CHECKING:
    from rich.table import Table

_ENOUGH_COLUMNS: Final = 10_000

Json = Annotated[bool, typer.Option("--json", help="Print JSON; all else goes to standard error.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print a JSON object a line; all else goes to standard error.")]


def print_json(value: Any) -> None:
    """Print a value as indented JSON."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode() + "\n")


def print_json_line(value: Any) -> None:
    """Print a value as JSON on one line, at once."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE).decode())
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None) -> None:
    """Print a table, each row on one line; columns whose name starts with `>` are numbers, to the right."""
    from rich.console import Console

    # Names that are folded cannot be copied: the terminal breaks lines that are too long.
    Console(highlight=False, width=_ENOUGH_COLUMNS).print(make_table(columns, rows, title=title), soft_wrap=True)


def make_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None) -> "Table":
    """The table that `print_table` prints."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in columns:
        table.add_column(column.lstrip(">"), justify="right" if column.startswith(">") else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def utc(text: str | None) -> str:
    """A time of the API as people read it; nothing for none."""
    return datetime.fromisoformat(text).isoformat(" ", "milliseconds").removesuffix("+00:00") if text else ""


def print_error(error: StoculusError) -> None:
    """Print an error as one block on stderr: what happened, where, what to do."""
    lines = [typer.style("error: ", fg="red", bold=True) + error.message]
    if error.field:
        lines.append(typer.style("where: ", bold=True) + error.field)
    if error.remedy:
        lines.append(typer.style("try:   ", bold=True) + error.remedy)
    lines += [typer.style(line, dim=True) for line in error.detail.splitlines()]
    typer.echo("\n".join(lines), err=True)
