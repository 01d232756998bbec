"""The service: settings to a running app."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version

from anyio import to_thread
from fastapi import FastAPI

from services.historical_stock.job import StockJob
from services.historical_stock.plan import StockPlanner, SymbolList
from services.kit.app import create_app
from services.kit.environment import ControlTopics, Environment, Headers
from services.kit.fetch import Lookahead
from services.kit.memory import MemoryBudget
from services.kit.pool import TaskPool
from services.kit.runner import TaskRunner
from services.kit.tasks import task_routes
from stoculus.errors import StoculusError
from stoculus.kafka import admin, registry
from stoculus.settings import ServiceSettings
from theta_client.client import ThetaClient


def build(settings: ServiceSettings) -> FastAPI:
    """The app of historical-stock. Nothing is connected before it is needed."""
    client = ThetaClient(settings.theta_url, settings.theta_tier, idle_timeout_s=settings.theta_idle_timeout_s)
    symbols = SymbolList(client, _now)
    environment = _environment(settings, client)
    pool = TaskPool(lambda task: TaskRunner(StockJob(task, client, symbols), environment), settings.concurrent_tasks)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await to_thread.run_sync(pool.close)
        environment.lookahead.threads.shutdown(wait=False, cancel_futures=True)
        client.close()

    app = create_app(
        "Stoculus historical-stock", version=version("stoculus"), ready=lambda: _missing(environment), lifespan=lifespan
    )
    app.include_router(task_routes(pool, StockPlanner(client, symbols, _now)))
    return app


def _environment(settings: ServiceSettings, client: ThetaClient) -> Environment:
    kafka = admin.connect(settings.kafka_bootstrap)
    return Environment(
        bootstrap=settings.kafka_bootstrap,
        admin=kafka,
        control_topics=ControlTopics(kafka),
        headers=Headers(registry.connect(settings.registry_url), settings.registry_url),
        budget=MemoryBudget(settings.memory_budget_mb * 2**20),
        lookahead=Lookahead(lambda: client.tier.concurrency),
        now=_now,
        random=random.random,
    )


def _missing(environment: Environment) -> list[str]:
    try:
        environment.control_topics.ensure()
    except StoculusError as error:
        return [str(error)]
    return []


def _now() -> datetime:
    return datetime.now(UTC)
