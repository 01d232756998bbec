"""`stoculus …`: the command line. Commands import what they need when they run, so that `--help` is quick."""

import sys
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from stoculus.cli import access, consume, plugins, schemas, streams, topics
from stoculus.cli.backtests import app as backtests
from stoculus.cli.doctor import doctor
from stoculus.cli.export import export
from stoculus.cli.output import print_error
from stoculus.cli.plot import plot
from stoculus.cli.replay import replay
from stoculus.cli.tape.command import tape
from stoculus.cli.verify import verify
from stoculus.errors import StoculusError

_ORDER: Final = (
    "backtest",
    "stream",
    "tape",
    "consume",
    "topics",
    "export",
    "plot",
    "replay",
    "verify",
    "doctor",
    "key",
    "schemas",
)


class _Commands(TyperGroup):
    """The commands, and the plug-ins; in the help those first that are used most."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for plug_in in plugins.found():
            self.add_command(plug_in)

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER))


app = typer.Typer(
    name="stoculus",
    cls=_Commands,
    help="Market data from Theta Data on Kafka topics: typed, in order, once each.",
    epilog="Where broker, registry and coordinator are: STOCULUS_KAFKA_BOOTSTRAP, STOCULUS_REGISTRY_URL, "
    "STOCULUS_COORDINATOR_URL; its API key, if it wants one: STOCULUS_API_KEY_FILE. "
    "The defaults fit the local stack (`stoculus local up`).\n\n"
    "Exit codes: 0 done, 1 failed (standard error says what happened, where, and what to do), 2 wrong usage, "
    "130 Ctrl-C.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(backtests.app, name="backtest")
app.add_typer(streams.app, name="stream")
app.command("tape")(tape)
app.command("consume")(consume.consume)
app.command("topics")(topics.list_topics)
app.command("export")(export)
app.command("plot")(plot)
app.command("replay")(replay)
app.command("verify")(verify)
app.command("doctor")(doctor)
app.add_typer(access.app, name="key")
app.add_typer(schemas.app, name="schemas")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"stoculus {version('stoculus')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line. Exit codes: 0 done, 1 failed (one block on stderr says why), 2 wrong usage, 130 Ctrl-C."""
    try:
        app()
    except StoculusError as error:
        print_error(error)
        sys.exit(1)
