"""The streams' part of the coordinator, connected."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from fastapi import FastAPI
from prometheus_client import Counter

from coordinator.access.limits import Seats
from coordinator.broker import Broker
from coordinator.changes import Changes
from coordinator.database import Database
from coordinator.live import LiveService
from coordinator.metrics import StreamMetrics
from coordinator.room import Room
from coordinator.streams.endpoints import StreamsApi
from coordinator.streams.keeper import StreamKeeper
from coordinator.streams.observations import Observations
from coordinator.streams.service import Streams
from coordinator.streams.store import stream_store
from coordinator.tail import Record, Tail
from stoculus import topics
from stoculus.kafka import admin
from stoculus.settings import CoordinatorSettings

_LARGEST_SEGMENT: Final = 2**30
_SMALLEST_SEGMENT: Final = 2**20
_SEGMENTS: Final = 4


class StreamParts:
    """What streams need of their own, beside what they share with backtests."""

    def __init__(
        self,
        settings: CoordinatorSettings,
        database: Database,
        broker: Broker,
        room: Room,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self.changes = Changes()
        self.observations = Observations()
        self.service = LiveService(settings.live_stream_url, settings.service_token)
        self.tail = Tail(settings.kafka, topics.WATERMARKS, self._take_watermarks)
        self.streams = Streams(
            store=stream_store(database),
            broker=broker,
            service=self.service,
            observations=self.observations,
            watermarks=self.tail,
            changes=self.changes,
            room=room,
            now=now,
            new_id=new_id,
        )
        self._create = partial(broker.create, config=topic_config(settings.live_retention_bytes))

    def join(self, app: FastAPI, errors: Counter, seats: Seats) -> StreamKeeper:
        """Give the app the endpoints and metrics; return what has to run beside it."""
        keeper = StreamKeeper(
            streams=self.streams,
            service=self.service,
            observations=self.observations,
            create=self._create,
            changes=self.changes,
            errors=errors,
        )
        self.streams.wake = keeper.wake
        app.include_router(StreamsApi(self.streams, self.observations, self.changes, seats).router())
        app.state.metrics.register(StreamMetrics(self.streams, self.observations))
        return keeper

    def _take_watermarks(self, records: list[Record]) -> None:
        self.observations.apply(records)
        if self.observations.service.trouble and not self.streams.trouble:
            # Otherwise the service tells it sooner.
            touched = {topic for topic, _ in records}
            for stream in self.streams.all():
                if not touched.isdisjoint(stream.topics):
                    self.changes.tell(stream.stream_id)


def topic_config(retention_bytes: int) -> dict[str, str]:
    """The settings of a live topic that loses its oldest records at a size; -1: never."""
    if retention_bytes < 0:
        return {**admin.DATA_CONFIG, "retention.bytes": "-1"}
    # Records are lost a segment at a time, and never of the newest one: the default of 1 GiB would keep more.
    segment = min(max(retention_bytes // _SEGMENTS, _SMALLEST_SEGMENT), _LARGEST_SEGMENT)
    return {**admin.DATA_CONFIG, "retention.bytes": str(retention_bytes), "segment.bytes": str(segment)}
