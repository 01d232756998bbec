"""What the commands of backtests share: the id, the coordinator, and following a backtest to its end."""

from typing import TYPE_CHECKING, Annotated

import typer

from stoculus.cli import completing
from stoculus.cli.output import print_json_line

if TYPE_CHECKING:
    from stoculus.cli.client import Coordinator

Id = Annotated[
    str,
    typer.Argument(metavar="ID", help="The backtest's id.", show_default=False, autocompletion=completing.backtest_ids),
]


def connect() -> "Coordinator":
    """The coordinator of the settings, asked about backtests."""
    from stoculus.cli.client import connect

    return connect()


def path(backtest_id: str) -> str:
    """The path of a backtest below `/v1/backtests`."""
    from stoculus.cli.client import path_of

    return path_of(backtest_id)


def follow(client: "Coordinator", backtest_id: str, *, quiet: bool = False, as_json: bool = False) -> None:
    """Show a backtest until it ends, quietly only how; raise Exit(1) where it did not complete."""
    from rich.console import Console

    from stoculus.cli import watch

    console = Console(highlight=False)
    snapshots = client.snapshots(backtest_id)
    try:
        if not as_json:
            watch.report(watch.watch(snapshots, console, quiet=quiet), console)
            return
        for snapshot in watch.until_final(snapshots):
            if not quiet or snapshot["state"] in watch.FINAL:
                print_json_line(snapshot)
        if snapshot["state"] != "completed":
            raise typer.Exit(1)
    except KeyboardInterrupt:
        typer.echo(f"The backtest goes on. See it again: stoculus backtest watch {backtest_id}", err=True)
        raise
