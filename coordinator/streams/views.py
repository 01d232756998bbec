"""What the API answers about streams."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import BaseModel, Field

from coordinator.streams.observations import Observations
from coordinator.streams.states import Observed, Wanted
from coordinator.streams.store import Stream
from stoculus.streams import StreamSession

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TopicView(BaseModel):
    """A topic of a stream. What only the live service can tell is null while it has not got the stream."""

    topic: str
    subscriptions: int | None = Field(default=None, description="instruments that the vendor streams to it now")
    refused: int | None = Field(default=None, description="instruments that the vendor does not stream")
    records: int | None = Field(default=None, description="records since the live service started")
    last_event: datetime | None = Field(default=None, description="event time of the newest record")
    complete_from: datetime | None = None
    complete_until: datetime | None = Field(
        default=None, description="up to this market time the topic is complete, but for gaps"
    )
    lag_ms: int | None = Field(default=None, description="the tape's clock less complete_until")
    gaps: int | None = Field(default=None, description="gaps that are not healed yet")
    late: int | None = Field(default=None, description="trades that came after their bar was sent")
    reason: str | None = None


class StreamView(BaseModel):
    """A stream with its topics and the request as submitted."""

    stream_id: str
    state: Observed
    reason: str | None = Field(description="what it waits for, or why it failed")
    wanted: Wanted
    session: StreamSession
    warmup: str | None
    created_at: datetime
    topics: list[TopicView]
    request: dict[str, Any]


class SubmittedStream(StreamView):
    """A stream as it is seen when it is submitted."""

    notes: list[str] = Field(description="what the live service says of a new one: contracts, and the account's room")


class StreamList(BaseModel):
    """All streams, the newest first."""

    streams: list[StreamView]


def view(stream: Stream, observations: Observations) -> StreamView:
    """A stream as it is seen now."""
    state, reason = observations.state(stream)
    return StreamView(
        stream_id=stream.stream_id,
        state=state,
        reason=reason,
        wanted=stream.wanted,
        session=stream.submission.session,
        warmup=stream.submission.warmup,
        created_at=stream.created_at,
        topics=_topics(stream, observations),
        request=stream.submission.model_dump(mode="json", by_alias=True, exclude_none=True),
    )


def moment(time_us: int | None) -> datetime | None:
    """Microseconds since the epoch, UTC, as a moment."""
    return None if time_us is None else _EPOCH + timedelta(microseconds=time_us)


def _topics(stream: Stream, observations: Observations) -> list[TopicView]:
    status = observations.status(stream)
    told = {one.topic: one.model_dump() for one in status.topics} if status else {}
    return [_topic(topic, told.get(topic, {}), observations) for topic in stream.topics]


def _topic(topic: str, told: dict[str, Any], observations: Observations) -> TopicView:
    watermark = observations.watermarks.get(topic)
    known = {"topic": topic} | {name: told[name] for name in TopicView.model_fields.keys() & told.keys()}
    for name in ("complete_from", "complete_until"):
        time_us = told.get(f"{name}_us")
        if time_us is None and watermark:
            time_us = getattr(watermark, f"{name}_us")
        known[name] = moment(time_us)
    return TopicView(**known, last_event=moment(told.get("last_event_us")))
