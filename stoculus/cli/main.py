"""`stoculus …`: the command line. Commands import what they need when they run, so that `--help` is quick."""

import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from stoculus.cli import backtests, consume, plugins, schemas, streams, topics
from stoculus.cli.output import print_error
from stoculus.cli.tape.command import tape
from stoculus.errors import StoculusError


class _MostUsedFirst(TyperGroup):
    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        first = ["backtest", "stream", "tape", "consume", "topics", "schemas"]
        return first + [name for name in super().list_commands(ctx) if name not in first]


app = typer.Typer(
    name="stoculus",
    cls=_MostUsedFirst,
    help="Market data from Theta Data on Kafka topics: typed, in order, once each.",
    epilog="Where broker, registry and coordinator are: STOCULUS_KAFKA_BOOTSTRAP, STOCULUS_REGISTRY_URL, "
    "STOCULUS_COORDINATOR_URL. The defaults fit the local stack (`make local-up`).",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(backtests.app, name="backtest")
app.add_typer(streams.app, name="stream")
app.command("tape")(tape)
app.command("consume")(consume.consume)
app.command("topics")(topics.list_topics)
app.add_typer(schemas.app, name="schemas")
plugins.add_to(app)


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
