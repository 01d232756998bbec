"""Live streams: what the live service is told, what it says, and what it writes to its two control topics."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, field_validator, model_validator

from stoculus import topics
from stoculus.errors import InvalidRequest
from stoculus.instruments import Stock, parse_root
from stoculus.located import Located
from stoculus.records.catalog import INTERVAL_US, Asset, Kind, Schema, parse_schema
from stoculus.selection import ChainSelection

StreamSession = Literal["regular", "extended", "always"]
Origin = Literal["live", "heal", "warmup"]
StreamId = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value)]

STREAMED: Final[tuple[Kind, ...]] = ("quote", "trade", "ohlcv")
"""What the vendor streams, or what is made of it: bars of a second or longer, from trades."""
MOST_WARMUP_DAYS: Final = 30
_WARMUP = re.compile(r"(\d{1,2})d")


def streamed_schema(name: str, interval: str | None, asset: Asset) -> Schema:
    """The schema of a live topic; raise InvalidRequest for one that the vendor does not stream."""
    schema = parse_schema(name, interval, asset=asset)
    if schema.kind not in STREAMED:
        raise InvalidRequest(
            f"The vendor does not stream {schema.name}.",
            remedy=f"Live are {', '.join(STREAMED)}; ask for a backtest of the rest.",
            field="schema",
        )
    if schema.kind == "quote" and schema.interval:
        raise InvalidRequest(
            "Live quotes are ticks.", remedy="Leave the interval out, or ask for a backtest.", field="interval"
        )
    if schema.interval and INTERVAL_US[schema.interval] < INTERVAL_US["1s"]:
        raise InvalidRequest("Live bars last a second or longer.", remedy="Use 1s or longer.", field="interval")
    return schema


class _Feed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_name: str = Field(alias="schema")
    interval: str | None = None


class StockFeed(_Feed):
    """A stock with one schema: one topic."""

    asset: Literal["stock"] = "stock"
    ticker: str

    @property
    def symbol(self) -> str:
        return Stock.parse(self.ticker, field="ticker").ticker

    @property
    def record_schema(self) -> Schema:
        return streamed_schema(self.schema_name, self.interval, "stock")

    @property
    def topic(self) -> str:
        return topics.stock_live(Stock.parse(self.ticker, field="ticker"), self.record_schema.name)

    @model_validator(mode="after")
    def _names_a_topic(self) -> Self:
        _ = self.topic
        return self


class OptionFeed(_Feed, ChainSelection):
    """Contracts of a root with one schema: one topic, which other selections of the root share."""

    asset: Literal["option"] = "option"
    root: str

    @property
    def symbol(self) -> str:
        return parse_root(self.root)

    @property
    def record_schema(self) -> Schema:
        return streamed_schema(self.schema_name, self.interval, "option")

    @property
    def topic(self) -> str:
        return topics.option_live(self.symbol, self.record_schema.name)

    @model_validator(mode="after")
    def _of_one_root(self) -> Self:
        _ = self.topic
        self.check_root(self.symbol)
        return self


Feed = Annotated[Annotated[StockFeed | OptionFeed, Discriminator("asset")], Located]


class StreamSpec(BaseModel):
    """What a stream wants of the live service. It is written once; another wish is another stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stream_id: StreamId
    session: StreamSession = "always"
    warmup: str | None = Field(default=None, description="history before the live records: 2d is today and two days")
    feeds: list[Feed] = Field(min_length=1)

    @field_validator("stream_id")
    @classmethod
    def _is_an_id(cls, stream_id: str) -> str:
        return topics.backtest_id(stream_id, field="stream_id")

    @field_validator("warmup")
    @classmethod
    def _is_a_warmup(cls, warmup: str | None) -> str | None:
        if warmup is not None:
            warmup_days(warmup)
        return warmup

    @property
    def topics(self) -> list[str]:
        """The topics that the stream's records are on, each once, in order."""
        return sorted({feed.topic for feed in self.feeds})


def warmup_days(text: str, *, field: str = "warmup") -> int:
    """The trading days before today that a warm-up asks for: `2d` is 2. Raise InvalidRequest."""
    match = _WARMUP.fullmatch(text)
    if not match or int(match[1]) > MOST_WARMUP_DAYS:
        raise InvalidRequest(
            f"{text[:20]!r} is no warm-up.",
            remedy=f"Write trading days before today as 2d, at most {MOST_WARMUP_DAYS}d; 0d is today alone.",
            field=field,
        )
    return int(match[1])


class Watermark(BaseModel):
    """Up to where a live topic is complete: the value of `stoculus.watermarks`, its key is the topic.

    Times are market time, microseconds since the epoch, UTC. Every record with complete_from <= event time <
    complete_until that a stream wanted is on the topic, but for the gaps that stream-events tell of.
    """

    topic: str
    topic_id: str | None = Field(default=None, description="Kafka's: another topic may be made under the same name")
    complete_from_us: int
    complete_until_us: int
    offset: int = Field(description="records of complete_until and later stand here or behind")
    warmup_until_us: int | None = Field(default=None, description="history before it was asked for as a warm-up")
    wanted: bool = Field(description="whether a stream wanted the topic when this was written")
    written_us: int = Field(description="wall clock")


EventKind = Literal["subscribed", "unsubscribed", "gap", "healed", "seam", "late", "refused"]


class StreamEvent(BaseModel):
    """What happened to a live topic: a value of `stoculus.stream-events`, its key is the topic.

    gap: the time from..until is not complete, for the reason told. healed: what of it history had is on the topic now
    (origin heal), at the offsets told. seam: the warm-up ends and the live records begin. late: trades came after
    their bar was sent. refused: the vendor does not stream an instrument.
    """

    kind: EventKind
    topic: str
    from_us: int | None = Field(default=None, description="market time, microseconds UTC")
    until_us: int | None = None
    first_offset: int | None = None
    last_offset: int | None = None
    records: int = 0
    instruments: int = 0
    open: bool = Field(default=False, description="a gap that is still to be healed")
    reason: str = ""
    at_us: int = Field(description="wall clock, microseconds UTC")


StreamState = Literal["starting", "running", "closed", "waiting", "stopping"]
"""closed: outside of the stream's session. waiting: for what `reason` says."""


class TopicStatus(BaseModel):
    """What the live service says of one topic of a stream."""

    topic: str
    subscriptions: int = Field(description="instruments that the vendor streams to it now")
    refused: int = Field(default=0, description="instruments that the vendor does not stream")
    records: int = Field(default=0, description="records since the service started")
    last_event_us: int | None = Field(default=None, description="event time of the newest record")
    complete_from_us: int | None = None
    complete_until_us: int | None = None
    lag_ms: int | None = Field(default=None, description="the tape's clock less complete_until")
    gaps: int = Field(default=0, description="gaps that are not healed yet")
    late: int = Field(default=0, description="trades that came after their bar was sent")
    reason: str | None = None


class StreamStatus(BaseModel):
    """What the live service says of a stream that it has."""

    stream_id: str
    state: StreamState
    reason: str | None = None
    tape_us: int | None = Field(default=None, description="the tape's clock, microseconds UTC")
    topics: list[TopicStatus] = Field(default_factory=list)


class StreamPlan(BaseModel):
    """What a stream would subscribe, told before it starts."""

    subscriptions: int
    in_use: int = Field(description="subscriptions of the other streams")
    notes: list[str] = Field(default_factory=list)
