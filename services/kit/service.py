"""A historical service: settings to a running app."""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypeVar

from anyio import to_thread
from fastapi import FastAPI

from services.kit.app import MAX_SERVICE_BODY_BYTES, create_app
from services.kit.environment import ControlTopics, Environment, Headers
from services.kit.fetch import Lookahead
from services.kit.job import Job
from services.kit.memory import MemoryBudget
from services.kit.planning import Planner
from services.kit.pool import TaskPool
from services.kit.runner import TaskRunner
from services.kit.tasks import task_routes
from services.kit.token import token_gate
from services.kit.vendor import Vendor
from stoculus.errors import StoculusError
from stoculus.kafka import admin, registry
from stoculus.settings import ServiceSettings
from stoculus.tasks import HistoricalTask

AnyTask = TypeVar("AnyTask", bound=HistoricalTask)


def build_service(
    name: str,
    settings: ServiceSettings,
    vendor: Vendor,
    task_type: type[AnyTask],
    job_of: Callable[[AnyTask], Job],
    planner: Planner[AnyTask],
    *,
    chunks_at_once: int | None = None,
    close: Callable[[], None] = lambda: None,
) -> FastAPI:
    """The app of a service for one type of tasks. `chunks_at_once` limits tasks and chunks fetched ahead together."""
    at_once = chunks_at_once or settings.concurrent_tasks
    environment = _environment(settings, lambda: min(vendor.client.tier.concurrency, at_once))
    pool = TaskPool[AnyTask](
        lambda task: TaskRunner(job_of(task), environment), min(settings.concurrent_tasks, at_once)
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        vendor.start()
        yield
        vendor.stop_soon()
        await to_thread.run_sync(pool.close)
        environment.lookahead.threads.shutdown(wait=False, cancel_futures=True)
        await to_thread.run_sync(vendor.close)
        close()

    app = create_app(
        f"Stoculus {name}",
        version=version("stoculus"),
        ready=lambda: _missing(environment) + vendor.missing(),
        lifespan=lifespan,
        admit=token_gate(settings.service_token),
        max_body_bytes=MAX_SERVICE_BODY_BYTES,
    )
    vendor.register(app.state.metrics)
    environment.meters.register(app.state.metrics, environment.budget, pool.statuses)
    app.include_router(task_routes(task_type, pool, planner))
    return app


def _environment(settings: ServiceSettings, slots: Callable[[], int]) -> Environment:
    client = admin.connect(settings.kafka)
    return Environment(
        kafka=settings.kafka,
        admin=client,
        control_topics=ControlTopics(client),
        headers=Headers(registry.connect(settings.registry), settings.registry_url),
        budget=MemoryBudget(settings.memory_budget_mb * 2**20),
        lookahead=Lookahead(slots),
        now=utc_now,
        random=random.random,
    )


def _missing(environment: Environment) -> list[str]:
    try:
        environment.control_topics.ensure()
    except StoculusError as error:
        return [str(error)]
    return []


def utc_now() -> datetime:
    """The wall clock, handed to whatever needs the time."""
    return datetime.now(UTC)
