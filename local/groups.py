"""The demo's two consumer groups: calculations on topics that both read, each everything."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

import stoculus
from stoculus import topic_of
from stoculus.calendar import NEW_YORK
from stoculus.settings import Connections

FIVE_MINUTES_US: Final = 300_000_000
CHAIN_AT: Final = datetime(2024, 1, 4, 12, tzinfo=NEW_YORK)


@dataclass(frozen=True, slots=True)
class Straddle:
    """Call and put of a strike: middles of their quotes, and the forward that they imply (put-call parity), USD."""

    strike: float
    call: float
    put: float

    @property
    def forward(self) -> float:
        return self.strike + self.call - self.put


def vwap_per_five_minutes(trades: pa.Table) -> pa.Table:
    """Columns symbol, bucket (UTC), vwap (USD), from trades of several symbols, in order of time."""
    micros = trades["ts_event"].cast(pa.int64())
    bucket = pc.multiply(pc.divide(micros, FIVE_MINUTES_US), FIVE_MINUTES_US).cast(pa.timestamp("us", "UTC"))
    value = pc.multiply(trades["price"], pc.cast(trades["size"], pa.float64()))
    table = pa.table({"symbol": trades["symbol"], "bucket": bucket, "value": value, "size": trades["size"]})
    sums = table.group_by(["symbol", "bucket"]).aggregate([("value", "sum"), ("size", "sum")])
    traded = sums.filter(pc.greater(sums["size_sum"], pa.scalar(0)))
    vwap = pc.divide(traded["value_sum"], pc.cast(traded["size_sum"], pa.float64()))
    return traded.select(["symbol", "bucket"]).append_column("vwap", vwap).sort_by("bucket")


def straddles(quotes: Iterable[pa.RecordBatch]) -> list[Straddle]:
    """Of the quotes of one expiration at one time, as they stand on the topic: by strike, calls before puts."""
    rows = [row for batch in quotes for row in batch.select(["strike", "right", "bid", "ask"]).to_pylist()]
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return [
        Straddle(call["strike"], (call["bid"] + call["ask"]) / 2, (put["bid"] + put["ask"]) / 2) for call, put in pairs
    ]


def group_a(where: Connections, group: str, topics: list[str]) -> tuple[pa.Table, list[Straddle]]:
    """Read trades and a chain: VWAP per five minutes, and the chain at CHAIN_AT."""
    trades: list[pa.RecordBatch] = []
    chain: list[pa.RecordBatch] = []
    for batch in stoculus.subscribe(topics, group=group, until_end=True, settings=where):
        if topic_of(batch).startswith("option-"):
            chain.append(batch.filter(pc.equal(batch["ts_event"], pa.scalar(CHAIN_AT))))
        else:
            trades.append(batch)
    return vwap_per_five_minutes(pa.Table.from_batches(trades)), straddles(chain)


def group_b(where: Connections, group: str, topics: list[str]) -> dict[str, tuple[int, float | None]]:
    """Read every topic: records, and of quotes the mean spread in USD."""
    counts = dict.fromkeys(topics, 0)
    spreads: dict[str, tuple[float, int]] = {}
    for batch in stoculus.subscribe(topics, group=group, until_end=True, settings=where):
        topic = topic_of(batch)
        counts[topic] += batch.num_rows
        if "bid" in batch.schema.names:
            bid, ask = batch["bid"].to_numpy(), batch["ask"].to_numpy()
            both = (bid > 0) & (ask > 0)
            total, seen = spreads.get(topic, (0.0, 0))
            spreads[topic] = (total + float((ask - bid)[both].sum()), seen + int(both.sum()))
    means = {topic: total / seen for topic, (total, seen) in spreads.items() if seen}
    return {topic: (count, means.get(topic)) for topic, count in counts.items()}
