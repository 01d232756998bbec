"""The service: settings to a running app."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from anyio import to_thread
from fastapi import FastAPI

from services.kit.app import MAX_SERVICE_BODY_BYTES, create_app
from services.kit.chains import Chains
from services.kit.environment import Headers
from services.kit.names import NameList
from services.kit.service import utc_now
from services.kit.token import token_gate
from services.kit.vendor import Vendor
from services.live_stream.api import stream_routes
from services.live_stream.counts import Counts, StreamCounts
from services.live_stream.healing.history import History
from services.live_stream.instance import PROGRAM, Instance
from services.live_stream.plan import LivePlanner
from services.live_stream.wanted import Streams
from stoculus.kafka import registry
from stoculus.settings import LiveSettings


def build(settings: LiveSettings) -> FastAPI:
    """The app of live-stream."""

    def is_down() -> bool:
        return bool(app.state.instance.is_down)

    vendor = Vendor(settings, PROGRAM, has_stream=True, in_doubt=is_down)
    client = vendor.client
    symbols, chains = NameList("stock", client.symbols, utc_now), Chains(client, utc_now)
    planner, streams = LivePlanner(client, symbols, chains, utc_now), Streams()
    headers = Headers(registry.connect(settings.registry), settings.registry_url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        vendor.start()
        app.state.instance.start()
        yield
        vendor.stop_soon()
        await to_thread.run_sync(app.state.instance.close)
        await to_thread.run_sync(vendor.close)

    app = create_app(
        "Stoculus live-stream",
        version=version("stoculus"),
        ready=vendor.missing,
        remarks=lambda: [app.state.instance.trouble] if app.state.instance.trouble else [],
        lifespan=lifespan,
        admit=token_gate(settings.service_token),
        max_body_bytes=MAX_SERVICE_BODY_BYTES,
    )
    vendor.register(app.state.metrics)
    counts = Counts(app.state.metrics)
    history = History(client, symbols, chains)
    instance = Instance(
        settings, streams, history, planner.subscriptions, headers, counts, lambda: time.time_ns() // 1000
    )
    app.state.instance = instance
    app.state.metrics.register(StreamCounts(instance.statuses))
    app.include_router(stream_routes(streams, instance, planner))
    return app
