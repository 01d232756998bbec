"""`stoculus local …`: the whole stack on this machine, without containers."""

import os

import typer
from rich.console import Console
from rich.table import Table

from local.stack import Stack
from stoculus.errors import StackFailed
from stoculus.settings import LocalSettings

app = typer.Typer(
    no_args_is_help=True,
    help="The whole stack on this machine: broker, registry, simulator, service, coordinator.",
    epilog="State and logs are in STOCULUS_VAR_DIR (var). Ports: "
    + ", ".join(
        f"STOCULUS_{name.upper()} ({field.default})"
        for name, field in LocalSettings.model_fields.items()
        if name.endswith("_port")
    ),
)
_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)


def _stack() -> Stack:
    return Stack(LocalSettings.load(os.environ), os.environ, lambda line: _out.print(line, soft_wrap=True))


@app.command()
def up() -> None:
    """Start what does not run; return when all is ready. Safe to run again."""
    try:
        _stack().up()
    except StackFailed as error:
        if error.detail:
            _err.print(error.detail, style="dim", markup=False, soft_wrap=True)
        raise


@app.command()
def down() -> None:
    """Stop all; topics and schemas stay. Safe to run again."""
    _stack().down()
    _out.print("The local stack is down.")


@app.command()
def status() -> None:
    """Show each program; exit code 0 when all is ready, else 1."""
    programs = _stack().status()
    table = Table("program", "port", "pid", "state", "log")
    for each in programs:
        state = "[green]ready" if each.ready else "[yellow]not ready" if each.pid else "[red]stopped"
        table.add_row(each.name, str(each.port), str(each.pid or ""), state, os.path.relpath(each.log))
    _out.print(table)
    if not all(each.ready for each in programs):
        raise typer.Exit(1)
