"""Streams: what may be done to them, and what stays true meanwhile."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from coordinator.broker import Broker
from coordinator.changes import Changes
from coordinator.live import LiveService
from coordinator.requests import in_request, require_same
from coordinator.room import Room
from coordinator.rows import Rows
from coordinator.store import Store
from coordinator.streams.models import AskedFeed, StreamSubmission, feeds, spec
from coordinator.streams.observations import Observations
from coordinator.streams.states import Wanted
from coordinator.streams.store import Stream
from coordinator.streams.views import moment
from coordinator.tail import Tail
from stoculus.errors import BrokerUnavailable, Conflict, NotFound, ServiceUnavailable, StoculusError
from stoculus.streams import StreamPlan, StreamSpec

log = logging.getLogger(__name__)


class Streams:
    """Every stream. Used on the event loop; `wake` is called when there is something to do for one."""

    def __init__(
        self,
        *,
        store: Store[Stream],
        broker: Broker,
        service: LiveService,
        observations: Observations,
        watermarks: Tail,
        changes: Changes,
        room: Room,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._rows = Rows(store)
        self._broker = broker
        self._service = service
        self._observations = observations
        self._watermarks = watermarks
        self._changes = changes
        self._room = room
        self._now = now
        self._new_id = new_id
        room.count(lambda: (topic for stream in self.all() for topic in stream.topics))

    @property
    def trouble(self) -> ServiceUnavailable | None:
        """Why the store has not been read."""
        return self._rows.trouble

    async def load(self) -> None:
        """Read the store; raise ServiceUnavailable where it cannot be read."""
        await self._rows.load()

    def all(self) -> list[Stream]:
        """Those that are there, the newest first."""
        rows = list(self._rows.known.values())
        return sorted(rows, key=lambda row: (row.created_at, row.stream_id), reverse=True)

    def get(self, stream_id: str) -> Stream:
        """One stream; raise NotFound."""
        if row := self._rows.known.get(stream_id):
            return row
        raise NotFound(f"Stream {stream_id[:80]!r} does not exist.", remedy="GET /v1/streams lists those there are.")

    async def submit(self, submission: StreamSubmission) -> tuple[Stream, StreamPlan | None]:
        """Store a stream and say its plan, or find the same one (None). A failure leaves nothing behind."""
        _ = self._rows.known
        stream_id = self._new_id() if submission.stream_id is None else submission.stream_id
        async with self._rows.flight(stream_id):
            if row := self._rows.known.get(stream_id):
                return self._again(row, submission), None
            return await self._create(submission, stream_id)

    async def delete(self, stream_id: str) -> Stream:
        """Want a stream stopped; it is gone when the live service has confirmed it. Its topics stay."""
        async with self._rows.flight(stream_id):
            stream = self.get(stream_id)
            if stream.wanted is not Wanted.STOP:
                stream = await self._rows.change(stream, wanted=Wanted.STOP)
                self._tell(stream_id)
            return stream

    async def stopped(self, stream: Stream) -> None:
        """Forget a stream that was to stop and that the live service has no longer."""
        await self._rows.remove(stream)
        self._observations.forget(stream.stream_id)
        self._tell(stream.stream_id)

    def _again(self, row: Stream, submission: StreamSubmission) -> Stream:
        """The stream that is submitted again; one that failed is tried again."""
        if row.wanted is Wanted.STOP:
            raise Conflict(
                f"Stream {row.stream_id!r} is being stopped.",
                remedy=f"Submit again when GET /v1/streams/{row.stream_id} answers 404.",
                field="stream_id",
            )
        require_same("stream", row.stream_id, row.submission.canonical(), submission.canonical())
        self._observations.forget(row.stream_id)
        self._tell(row.stream_id)
        return row

    async def _create(self, submission: StreamSubmission, stream_id: str) -> tuple[Stream, StreamPlan]:
        asked = feeds(submission)
        wanted = spec(submission, stream_id, asked)
        existing, plan = await self._preflight(wanted, asked)
        async with self._room.lock:
            self._room.check(wanted.topics, existing)
            if wanted.warmup:
                await self._check_empty(wanted.topics, existing)
            stored = submission.model_copy(update={"stream_id": stream_id})
            stream = Stream(stream_id, self._now(), stored)
            await self._rows.add(stream)
        self._tell(stream_id)
        log.info("%s is submitted: %d topics", stream_id, len(wanted.topics), extra={"stream_id": stream_id})
        return stream, plan

    async def _preflight(self, wanted: StreamSpec, asked: list[AskedFeed]) -> tuple[dict[str, int], StreamPlan]:
        """The partitions of the broker by topic, and the live service's plan; raise what either refuses."""
        counts = asyncio.to_thread(self._broker.partition_counts)
        existing, plan = await asyncio.gather(counts, self._service.plan(wanted), return_exceptions=True)
        if isinstance(plan, StoculusError):
            raise in_request(plan, "feeds", asked) from plan
        for outcome in (plan, existing):
            if isinstance(outcome, BaseException):
                raise outcome
        return existing, plan  # type: ignore[return-value]

    async def _check_empty(self, wanted: Collection[str], existing: Mapping[str, int]) -> None:
        """Raise Conflict where history cannot come first: the topic has records, or a stream that fills it."""
        if not self._watermarks.caught_up:
            raise BrokerUnavailable(
                f"From when topics are complete is not known: {self._watermarks.trouble}",
                remedy="Try again when /readyz is 200.",
            )
        filled = {topic: one.stream_id for one in self.all() for topic in one.topics}
        for topic in wanted:
            if topic in filled:
                raise _not_empty(f"The stream {filled[topic]!r} fills the topic {topic} already")
        holding = await asyncio.to_thread(self._broker.holding_records, existing.keys() & set(wanted))
        for topic in sorted(holding):
            watermark = self._observations.watermarks.get(topic)
            since = moment(watermark.complete_from_us) if watermark else None
            told = f": it is complete from {since:%Y-%m-%dT%H:%M:%S.%fZ}" if since else ""
            raise _not_empty(f"The topic {topic} holds records already{told}")

    def _tell(self, stream_id: str) -> None:
        self._changes.tell(stream_id)
        self.wake()


def _not_empty(told: str) -> Conflict:
    return Conflict(
        f"{told}. A warm-up is history first, then live records, on a topic that was empty.",
        remedy="Leave warmup out, or ask for a backtest of the days before.",
        field="warmup",
    )
