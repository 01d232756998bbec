"""`stoculus local …`: the whole stack on this machine, without containers."""

import os

import typer

from local.stack import Stack
from stoculus.cli.output import print_table
from stoculus.settings import LocalSettings

_PORTS = (name for name in LocalSettings.model_fields if name.endswith("_port"))
_SETTINGS = ", ".join(f"STOCULUS_{name.upper()} ({LocalSettings.model_fields[name].default})" for name in _PORTS)

app = typer.Typer(
    no_args_is_help=True,
    help="The whole stack on this machine: broker, registry, simulator, services, coordinator.",
    epilog="The simulator plays a day a start, when something is subscribed (STOCULUS_SIM_LIVE_DATE, "
    f"STOCULUS_SIM_LIVE_SPEED). State and logs are in STOCULUS_VAR_DIR (var). Ports: {_SETTINGS}.",
    pretty_exceptions_show_locals=False,
)


def _stack() -> Stack:
    return Stack(LocalSettings.load(os.environ), os.environ, typer.echo)


@app.command()
def up() -> None:
    """Start what does not run; return when all is ready. Safe to run again."""
    _stack().up()


@app.command()
def down() -> None:
    """Stop all; topics and schemas stay. Safe to run again."""
    _stack().down()
    typer.echo("The local stack is down.")


@app.command()
def status() -> None:
    """Show each program; exit code 0 when all is ready, else 1."""
    programs = _stack().status()
    rows = []
    for each in programs:
        state = "ready" if each.ready else "not ready" if each.pid else "stopped"
        rows.append((each.name, str(each.port), str(each.pid or ""), state, os.path.relpath(each.log)))
    print_table(("program", ">port", ">pid", "state", "log"), rows)
    if not all(each.ready for each in programs):
        raise typer.Exit(1)
