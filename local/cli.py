"""`stoculus local …`: the whole stack on this machine, without containers."""

import os

import typer

from local.stack import Stack, Status
from stoculus.cli.output import Json, print_json, print_table
from stoculus.settings import LocalSettings

_PORTS = (name for name in LocalSettings.model_fields if name.endswith("_port"))
_SETTINGS = ", ".join(f"STOCULUS_{name.upper()} ({LocalSettings.model_fields[name].default})" for name in _PORTS)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The whole stack on this machine: broker, registry, simulator, services, coordinator.",
    epilog="The simulator plays a day a start, when something is subscribed (STOCULUS_SIM_LIVE_DATE, "
    f"STOCULUS_SIM_LIVE_SPEED). State and logs are in STOCULUS_VAR_DIR (var). Ports: {_SETTINGS}.",
    pretty_exceptions_show_locals=False,
)


def _stack(as_json: bool = False) -> Stack:
    return Stack(LocalSettings.load(os.environ), os.environ, lambda text: typer.echo(text, err=as_json))


@app.command()
def up(as_json: Json = False) -> None:
    """Start what does not run; return when all is ready.

    The first start fetches Kafka and the registry, each file checked by its
    hash. Where all runs with the same settings, nothing is done.

    Prints each step; with --json the programs, as `stoculus local status` does.

    Exit codes: 0 all is ready, 1 a program could not start, 2 wrong usage.

    Examples:
      stoculus local up
      STOCULUS_COORDINATOR_PORT=8010 stoculus local up --json
    """
    stack = _stack(as_json)
    stack.up()
    if as_json:
        print_json(_objects(stack.status()))


@app.command()
def down(as_json: Json = False) -> None:
    """Stop all; topics and schemas stay.

    What runs when it is called ends in order, the last first. Where nothing
    runs, nothing is done.

    Prints each step; with --json the programs, as `stoculus local status` does.

    Exit codes: 0 nothing runs any more, 1 a program does not stop,
    2 wrong usage.

    Examples:
      stoculus local down
    """
    stack = _stack(as_json)
    stack.down()
    if as_json:
        print_json(_objects(stack.status()))
    else:
        typer.echo("The local stack is down.")


@app.command()
def status(as_json: Json = False) -> None:
    """Show each program of the stack.

    Prints its port, process id, state (ready, not ready, stopped), and where
    its log is.

    Exit codes: 0 all is ready, 1 something is not, 2 wrong usage.

    Examples:
      stoculus local status
      stoculus local status --json
    """
    programs = _objects(_stack().status())
    if as_json:
        print_json(programs)
    else:
        rows = [tuple("" if value is None else str(value) for value in each.values()) for each in programs]
        print_table(("program", ">port", ">pid", "state", "log"), rows)
    if any(each["state"] != "ready" for each in programs):
        raise typer.Exit(1)


def _objects(programs: list[Status]) -> list[dict[str, str | int | None]]:
    return [
        {
            "program": each.name,
            "port": each.port,
            "pid": each.pid,
            "state": "ready" if each.ready else "not ready" if each.pid else "stopped",
            "log": os.path.relpath(each.log),
        }
        for each in programs
    ]
