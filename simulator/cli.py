"""`stoculus simulator`: run the simulator in the foreground."""

import os
from pathlib import Path
from typing import Annotated

import typer

from simulator.server import serve
from stoculus.errors import StoculusError
from stoculus.settings import SimulatorSettings, Tier

app = typer.Typer(help="A Theta Terminal without an account.", invoke_without_command=True, add_completion=False)


@app.callback()
def simulator(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0: a free one.")] = None,
    ws_port: Annotated[int | None, typer.Option(help="The stream's port; 0: a free one.")] = None,
    tier: Annotated[Tier | None, typer.Option(help="The account's subscription.")] = None,
    recordings: Annotated[Path | None, typer.Option(help="Answer from recordings in this folder.")] = None,
) -> None:
    """Serve until interrupted. Options win over STOCULUS_… variables."""
    given = {"host": host, "sim_port": port, "sim_ws_port": ws_port, "sim_tier": tier, "sim_recordings": recordings}
    try:
        settings = SimulatorSettings.load(os.environ)
        merged = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
        serve(merged, lambda url: typer.echo(f"Simulator ready: {url}"))
    except StoculusError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
