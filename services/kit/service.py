"""A historical service: settings to a running app."""

import os
import random
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Final, TypeVar

from anyio import to_thread
from fastapi import FastAPI

from services.kit.app import MAX_SERVICE_BODY_BYTES, create_app, serve
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
from stoculus import logs
from stoculus.errors import SettingsInvalid, StoculusError, Transient
from stoculus.kafka import admin, registry
from stoculus.settings import ServiceSettings, TerminalSettings
from stoculus.tasks import HistoricalTask

EX_CONFIG: Final = 78
EX_TEMPFAIL: Final = 75

AnyTask = TypeVar("AnyTask", bound=HistoricalTask)
AnySettings = TypeVar("AnySettings", bound=TerminalSettings)


def run(
    name: str, kind: type[AnySettings], build: Callable[[AnySettings], FastAPI], port_of: Callable[[AnySettings], int]
) -> int:
    """Serve what `build` makes of settings of a kind until SIGTERM.

    Exit code 78 (EX_CONFIG) for a wrong setting, 75 (EX_TEMPFAIL) for a jar that cannot be fetched now.
    """
    try:
        settings = kind.load(os.environ)
        logs.configure(name, settings)
        app = build(settings)
    except (SettingsInvalid, Transient) as error:
        sys.stderr.write(f"{error}\n")
        return EX_TEMPFAIL if isinstance(error, Transient) else EX_CONFIG
    serve(app, settings.host, port_of(settings))
    return 0


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
