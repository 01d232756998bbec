"""What history has of a window of market time and a live topic lacks. Runs in threads beside the tape."""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import pyarrow as pa

from services.live_stream.healing.difference import Records, missing
from services.live_stream.topic import LiveTopic
from stoculus.connections import Kafka
from stoculus.errors import NotFound
from stoculus.instruments import OptionContract, Stock
from stoculus.reading.partition import PartitionReader
from stoculus.records.catalog import RecordType
from stoculus.records.codec import decode, encode


class TickHistory(Protocol):
    """See services.live_stream.healing.history."""

    def records(
        self,
        topic: LiveTopic,
        instruments: Collection[Stock | OptionContract],
        from_us: int,
        until_us: int,
        aborted: threading.Event,
    ) -> Iterable[pa.RecordBatch]: ...


@dataclass(frozen=True, slots=True)
class Ask:
    """A slice of a gap: from_us <= event time < until_us. The topic's records of it stand at `offset` or behind.

    `confirmed_us`: the stream has told everything since then; history that lacks any of it is not up to date.
    `trades_from_us`: for bars, since when trades are needed. `kept`: live rows that wait for what comes before them.
    """

    topic: LiveTopic
    instruments: frozenset[Stock | OptionContract]
    from_us: int
    until_us: int
    confirmed_us: int
    offset: int
    trades_from_us: int | None = None
    kept: tuple[pa.RecordBatch, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Records to write, in order; or for bars the trades of the slice, and which bars the topic has already.

    `ahead`: how many live records of the slice history lacks. It comes later than the stream, or differs.
    """

    rows: Records | None
    trades: tuple[pa.RecordBatch, ...]
    bars: frozenset[tuple[int, str]]
    ahead: int


def find_ticks(ask: Ask, history: TickHistory, kafka: Kafka, aborted: threading.Event) -> Found:
    """What a topic of ticks lacks."""
    record = ask.topic.schema.record
    wanted = records_of(history.records(ask.topic, ask.instruments, ask.from_us, ask.until_us, aborted), record)
    held = records_of(_held(kafka, ask, record), record)
    rows = missing(wanted, held)
    streamed = _rows(held, np.flatnonzero(held.times_us >= ask.confirmed_us))
    ahead = len(missing(streamed, wanted)) or _ahead(ask, wanted)
    return Found(_rows(wanted, rows), (), frozenset(), ahead)


def find_trades(ask: Ask, history: TickHistory, kafka: Kafka, aborted: threading.Event) -> Found:
    """The trades that a topic of bars is made of, and its bars of the slice."""
    from_us = ask.from_us if ask.trades_from_us is None else ask.trades_from_us
    trades = tuple(history.records(ask.topic, ask.instruments, from_us, ask.until_us, aborted))
    bars: set[tuple[int, str]] = set()
    for batch in _held(kafka, ask, ask.topic.schema.record):
        columns: list[Any] = [batch["ts_event"].cast(pa.int64()), batch["symbol"]]
        bars |= set(zip(*(column.to_pylist() for column in columns), strict=True))
    ahead = _ahead(ask, records_of(trades, ask.topic.tick_record)) if ask.kept else 0
    return Found(None, trades, frozenset(bars), ahead)


def _ahead(ask: Ask, wanted: Records) -> int:
    """How many of the live rows that wait history lacks."""
    kept = records_of(ask.kept, ask.topic.tick_record)
    times = kept.times_us
    streamed = _rows(kept, np.flatnonzero((times >= ask.confirmed_us) & (times < ask.until_us)))
    return len(missing(streamed, wanted)) if len(streamed) else 0


def records_of(batches: Iterable[pa.RecordBatch], record: RecordType) -> Records:
    """Record columns as a topic holds them."""
    keys: list[Any] = [pa.array([], pa.string())]
    times: list[Any] = [pa.array([], pa.timestamp("us", "UTC"))]
    bodies: list[Any] = [pa.array([], pa.binary())]
    for batch in batches:
        keys.append(batch["symbol"])
        times.append(batch["ts_event"])
        bodies.append(encode(batch, record))
    return Records(pa.concat_arrays(keys), pa.concat_arrays(times), pa.concat_arrays(bodies))


def _held(kafka: Kafka, ask: Ask, record: RecordType) -> Iterable[pa.RecordBatch]:
    """What the topic holds of the slice."""
    with PartitionReader(kafka, ask.topic.topic) as reader:
        if reader.end < ask.offset:
            raise NotFound(f"{ask.topic.topic} ends before its watermark.", remedy="Was it deleted and made again?")
        for values in reader.read_values(max(ask.offset, reader.first)):
            batch = decode(values.bodies, record)
            times = batch["ts_event"].cast(pa.int64()).to_numpy()
            inside = (times >= ask.from_us) & (times < ask.until_us)
            if inside.any():
                yield batch.filter(pa.array(inside))


def _rows(records: Records, rows: Any) -> Records:
    index = pa.array(rows)
    return Records(*(cast(Any, column).take(index) for column in (records.keys, records.ts_event, records.bodies)))
