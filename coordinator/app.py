"""The coordinator's wiring."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import metadata
from typing import Final
from uuid import uuid4

from fastapi import FastAPI
from prometheus_client import Counter

from coordinator.access.endpoints import KeysApi
from coordinator.access.gate import Gate
from coordinator.access.keys import Keys
from coordinator.access.limits import RateLimit, Seats
from coordinator.access.store import key_store
from coordinator.backtests.endpoints import BacktestsApi
from coordinator.backtests.manifest import Manifests
from coordinator.backtests.records import RecordReader
from coordinator.backtests.service import Backtests
from coordinator.backtests.states import is_finished
from coordinator.backtests.store import backtest_store
from coordinator.broker import Broker
from coordinator.changes import Changes
from coordinator.database import Database
from coordinator.dispatch import Dispatcher
from coordinator.historical import HistoricalService
from coordinator.janitor import Janitor
from coordinator.keeper import Keeper
from coordinator.metrics import BacktestMetrics, BrokerMetrics, ServiceMetrics
from coordinator.progress import Progress
from coordinator.room import Room
from coordinator.streams.wiring import StreamParts
from coordinator.tail import Record, Tail
from services.kit.app import create_app
from stoculus import topics
from stoculus.errors import StoculusError
from stoculus.records.catalog import Asset
from stoculus.settings import CoordinatorSettings

JOIN_S: Final = 1
log = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _short_id() -> str:
    return uuid4().hex[:12]


class Coordinator:
    """All parts of the coordinator, connected."""

    def __init__(self, settings: CoordinatorSettings, now: Callable[[], datetime], new_id: Callable[[], str]) -> None:
        self.progress = Progress()
        self.changes = Changes()
        self.manifests = Manifests()
        self.database = Database(settings.store_url.get_secret_value())
        self.store = backtest_store(self.database)
        self.keys = Keys(key_store(self.database), settings.admin_key, now, new_id)
        seats = Seats(settings.event_streams)
        room = Room(settings.max_partitions)
        self.broker = Broker(settings.kafka)
        urls: dict[Asset, str] = {"stock": settings.historical_stock_url, "option": settings.historical_option_url}
        self.services = {asset: HistoricalService(asset, url, settings.service_token) for asset, url in urls.items()}
        self.checkpoint_tail = Tail(settings.kafka, topics.CHECKPOINTS, self._take_checkpoints)
        self.manifest_tail = Tail(settings.kafka, topics.BACKTESTS, self._take_manifests)
        self.backtests = Backtests(
            store=self.store,
            broker=self.broker,
            services=self.services,
            progress=self.progress,
            tail=self.checkpoint_tail,
            changes=self.changes,
            room=room,
            now=now,
            new_id=new_id,
        )
        self.live = StreamParts(settings, self.database, self.broker, room, now, new_id)
        self.tails = [self.checkpoint_tail, self.manifest_tail, self.live.tail]
        self.app = create_app(
            "Stoculus coordinator",
            version=metadata.version("stoculus"),
            ready=self.missing,
            remarks=self.remarks,
            lifespan=self.lifespan,
            admit=Gate(
                self.keys if settings.access == "keys" else None,
                RateLimit(settings.requests_per_s, settings.requests_burst),
            ),
        )
        reader = RecordReader(settings.kafka, settings.registry)
        self.app.include_router(BacktestsApi(self.backtests, self.progress, self.changes, reader, seats).router())
        self.app.include_router(KeysApi(self.keys).router())
        metrics = self.app.state.metrics
        errors = Counter(
            "stoculus_dispatch_errors", "What kept the world from the wanted state", ["error"], registry=metrics
        )
        self.keeper = self._keeper(now, errors)
        self.backtests.wake = self.keeper.wake_all
        self.stream_keeper = self.live.join(self.app, errors, seats)
        metrics.register(BacktestMetrics(self.backtests, self.progress, self.keeper.observed, time.monotonic))
        metrics.register(ServiceMetrics(self.troubles, [self.changes, self.live.changes]))
        metrics.register(BrokerMetrics(self.broker, settings.max_partitions))

    def missing(self) -> list[str]:
        """What is missing for any work to go on: one service is enough. Blocking, 2 s at the most."""
        troubles = (self.backtests.trouble, self.live.streams.trouble, self.keys.trouble)
        found = list(dict.fromkeys(str(trouble) for trouble in troubles if trouble))
        for check in (self.store.check, self.broker.check) if not found else (self.broker.check,):
            try:
                check()
            except StoculusError as error:
                found.append(str(error))
        found += [tail.trouble for tail in self.tails if tail.trouble]
        return found + (self.remarks() if all(self.troubles().values()) else [])

    def remarks(self) -> list[str]:
        """The services that are away: what is for the others goes on."""
        return [trouble for trouble in self.troubles().values() if trouble]

    def troubles(self) -> dict[str, str | None]:
        """Of each service, by its name, why it does not answer; None: it does."""
        views = {f"historical-{asset}": view.trouble for asset, view in self.progress.services.items()}
        return views | {"live-stream": self.live.observations.service.trouble}

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Work as long as the app is served."""
        loop = asyncio.get_running_loop()
        threads = [tail.start(loop) for tail in self.tails]
        work = asyncio.create_task(self._work())
        work.add_done_callback(_end_with_it)
        try:
            yield
        finally:
            work.cancel()
            for tail in self.tails:
                tail.stop()
            await asyncio.gather(work, *(asyncio.to_thread(t.join, JOIN_S) for t in threads), return_exceptions=True)
            await asyncio.gather(*(one.close() for one in (*self.services.values(), self.live.service)))
            self.database.close()

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.keeper.run_all())
            group.create_task(self.stream_keeper.run())
            group.create_task(self.keys.load())

    def _keeper(self, now: Callable[[], datetime], errors: Counter) -> Keeper:
        janitor = Janitor(self.backtests, self.progress, self.broker, self.changes, now)
        return Keeper(
            backtests=self.backtests,
            progress=self.progress,
            broker=self.broker,
            dispatchers=[self._dispatcher(service, errors) for service in self.services.values()],
            manifests=self.manifests,
            manifests_known=lambda: self.manifest_tail.caught_up and self.checkpoint_tail.caught_up,
            changes=self.changes,
            janitor=janitor.sweep,
            errors=errors,
            now=now,
        )

    def _dispatcher(self, service: HistoricalService, errors: Counter) -> Dispatcher:
        return Dispatcher(
            service=service,
            backtests=self.backtests,
            progress=self.progress,
            broker=self.broker,
            changes=self.changes,
            changed=lambda: self.keeper.wake(),
            errors=errors,
            monotonic=time.monotonic,
        )

    def _take_checkpoints(self, records: list[Record]) -> None:
        for backtest_id in self.progress.apply(records):
            self.changes.tell(backtest_id)
        ended = (self.progress.checkpoints.get(task_id) for task_id, _ in records)
        if not records or any(is_finished(one, one.attempt) for one in ended if one):
            self.keeper.wake_all()

    def _take_manifests(self, records: list[Record]) -> None:
        self.manifests.apply(records)


def _end_with_it(work: "asyncio.Task[None]") -> None:
    """A coordinator that dispatches no more must not look alive."""
    if not work.cancelled() and (error := work.exception()):
        log.critical("Dispatching ended by an error that nobody foresaw.", exc_info=error)
        raise SystemExit(1)


def build_app(
    settings: CoordinatorSettings, now: Callable[[], datetime] = _utc_now, new_id: Callable[[], str] = _short_id
) -> FastAPI:
    """The coordinator's web app; it connects when it is served."""
    return Coordinator(settings, now, new_id).app
