"""The service: settings to a running app, which says how its terminal is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

from anyio import to_thread
from fastapi import FastAPI

from services.kit.app import create_app
from services.kit.terminal import TerminalMetrics, supervisor_of
from services.kit.token import token_gate
from stoculus.settings import TerminalSettings

_STOP_S: Final = 6.5
"""How long Java may take to end; nothing else is to be done then."""


def build(settings: TerminalSettings) -> FastAPI:
    """The app of theta-terminal. Raise SettingsInvalid, or VendorUnreachable for a jar that cannot be fetched."""
    supervisor = supervisor_of(settings, "theta-terminal", stop_s=_STOP_S)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        supervisor.start()
        yield
        await to_thread.run_sync(supervisor.close)

    def missing() -> list[str]:
        status = supervisor.status
        return [] if status.is_running else [str(status)]

    app = create_app(
        "Stoculus theta-terminal",
        version=version("stoculus"),
        ready=missing,
        lifespan=lifespan,
        admit=token_gate(settings.service_token),
    )
    app.state.metrics.register(TerminalMetrics(supervisor))
    return app
