"""A live topic as the service knows it."""

from dataclasses import dataclass
from typing import Self

from stoculus.records.catalog import RECORDS, Asset, RecordType, Schema, record_type
from stoculus.streams import OptionFeed, StockFeed
from theta_client.client import TicksKind


@dataclass(frozen=True, slots=True)
class LiveTopic:
    """`symbol` is the ticker, or the root of the options. `schema` is of kind quote, trade or ohlcv."""

    topic: str
    asset: Asset
    symbol: str
    schema: Schema

    @classmethod
    def of(cls, feed: StockFeed | OptionFeed) -> Self:
        """The topic that a feed's records are on."""
        return cls(feed.topic, feed.asset, feed.symbol, feed.record_schema)

    @property
    def ticks(self) -> TicksKind:
        """What the vendor streams for it: bars are made of trades."""
        return "quote" if self.schema.kind == "quote" else "trade"

    @property
    def tick_record(self) -> RecordType:
        """The record type of `ticks`."""
        return record_type(RECORDS[self.asset][self.ticks])
