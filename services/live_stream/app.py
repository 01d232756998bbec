"""The service: settings to a running app."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import to_thread
from fastapi import FastAPI

from services.kit.app import create_app
from services.kit.chains import Chains
from services.kit.environment import Headers
from services.kit.names import NameList
from services.kit.service import connect_vendor, utc_now
from services.live_stream.api import stream_routes
from services.live_stream.counts import Counts
from services.live_stream.healing.history import History
from services.live_stream.instance import Instance
from services.live_stream.plan import LivePlanner
from services.live_stream.wanted import Streams
from stoculus.kafka import registry
from stoculus.settings import LiveSettings


def build(settings: LiveSettings) -> FastAPI:
    """The app of live-stream."""
    client = connect_vendor(settings)
    symbols, chains = NameList("stock", client.symbols, utc_now), Chains(client, utc_now)
    planner, streams = LivePlanner(client, symbols, chains, utc_now), Streams()
    headers = Headers(registry.connect(settings.registry_url), settings.registry_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.instance.start()
        yield
        await to_thread.run_sync(app.state.instance.close)
        client.close()

    app = create_app(
        "Stoculus live-stream",
        version=version("stoculus"),
        ready=list,
        remarks=lambda: [app.state.instance.trouble] if app.state.instance.trouble else [],
        lifespan=lifespan,
    )
    counts = Counts(app.state.metrics)
    history = History(client, symbols, chains)
    instance = Instance(
        settings, streams, history, planner.subscriptions, headers, counts, lambda: time.time_ns() // 1000
    )
    app.state.instance = instance
    app.include_router(stream_routes(streams, instance, planner))
    return app
