"""`stoculus simulator`: run the simulator in the foreground."""

import os
from pathlib import Path
from typing import Annotated

import typer

from simulator.server import serve
from stoculus.cli.output import JsonLines, print_json_line
from stoculus.errors import StoculusError
from stoculus.settings import SimulatorSettings, Tier

app = typer.Typer(add_completion=False)


@app.command()
def simulator(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on; 0: a free one.")] = None,
    ws_port: Annotated[int | None, typer.Option(help="The stream's port; 0: a free one.")] = None,
    tier: Annotated[Tier | None, typer.Option(help="The account's subscription.")] = None,
    recordings: Annotated[Path | None, typer.Option(help="Answer from recordings in this folder.")] = None,
    as_json: JsonLines = False,
) -> None:
    """A Theta Terminal without an account: serve until interrupted.

    It answers as the vendor's terminal does, REST and WebSocket, from a made-up
    market or from recordings in LEAN's layout. Each option has a STOCULUS_SIM_
    variable beside it; options win.

    Prints one line when it is ready: its URL.

    Exit codes: 0 it was stopped, 2 wrong usage, or the port is taken.

    Examples:
      stoculus simulator
      stoculus simulator --port 0 --ws-port 0 --tier value --json
      STOCULUS_SIM_LIVE_DATE=2024-01-03 stoculus simulator
    """
    given = {"host": host, "sim_port": port, "sim_ws_port": ws_port, "sim_tier": tier, "sim_recordings": recordings}

    def say_ready(url: str) -> None:
        if as_json:
            print_json_line({"url": url})
        else:
            typer.echo(f"Simulator ready: {url}")

    try:
        settings = SimulatorSettings.load(os.environ)
        merged = settings.model_copy(update={name: value for name, value in given.items() if value is not None})
        serve(merged, say_ready)
    except StoculusError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
