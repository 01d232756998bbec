"""The simulator on uvicorn."""

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulator.app import create_app
from stoculus.errors import StackFailed
from stoculus.settings import SimulatorSettings


class _Protocol(HttpToolsProtocol):
    """Hands its transport to the application, which breaks connections on demand."""

    def on_headers_complete(self) -> None:
        self.scope["extensions"] = {"simulator.transport": self.transport}  # type: ignore[dict-item]
        super().on_headers_complete()


def serve(settings: SimulatorSettings, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM or `/v3/terminal/shutdown`; `on_ready` gets the base URL. Ports 0: free ones.

    Raises StackFailed where a port is taken.
    """
    listener = _listener(settings.host, settings.sim_port, "STOCULUS_SIM_PORT")
    stream_listener = _listener(settings.host, settings.sim_ws_port, "STOCULUS_SIM_WS_PORT")
    host, port = listener.getsockname()[:2]
    app, stream = create_app(settings, lambda: setattr(server, "should_exit", True))
    server = uvicorn.Server(_config(app))

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        streaming = asyncio.create_task(stream.serve(stream_listener))
        streaming.add_done_callback(lambda _: setattr(server, "should_exit", True))
        # uvicorn has no event for this.
        while not server.started and not serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if server.started:
            on_ready(f"http://{host}:{port}")
        await serving
        streaming.cancel()
        with suppress(asyncio.CancelledError):
            await streaming

    with listener, stream_listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def _listener(host: str, port: int, setting: str) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=512)
    except OSError as error:
        raise StackFailed(
            f"The simulator cannot listen on {host}:{port}: {error}.", remedy=f"Set {setting}."
        ) from error


def _config(app: ASGIApp) -> uvicorn.Config:
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
