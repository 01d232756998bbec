"""The simulator on uvicorn."""

import asyncio
import logging
import socket
from collections.abc import Callable

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulator.app import create_app
from stoculus.settings import SimulatorSettings


class _Protocol(HttpToolsProtocol):
    """Hands its transport to the application, which breaks connections on demand."""

    def on_headers_complete(self) -> None:
        self.scope["extensions"] = {"simulator.transport": self.transport}  # type: ignore[dict-item]
        super().on_headers_complete()


def serve(settings: SimulatorSettings, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM or `/v3/terminal/shutdown`; `on_ready` gets the base URL. Port 0: a free one."""
    listener = socket.create_server((settings.host, settings.sim_port), backlog=512)
    host, port = listener.getsockname()[:2]
    server = uvicorn.Server(_config(settings, lambda: setattr(server, "should_exit", True)))

    async def run() -> None:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        # uvicorn has no event for this.
        while not server.started and not serving.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        if server.started:
            on_ready(f"http://{host}:{port}")
        await serving

    with listener, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def _config(settings: SimulatorSettings, shut_down: Callable[[], None]) -> uvicorn.Config:
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return uvicorn.Config(
        create_app(settings, shut_down),
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
