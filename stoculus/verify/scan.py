"""One pass over a topic: every record is looked at, counted and hashed."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stoculus.calendar import DAY_END, LAST_DAY, NEW_YORK, to_utc_us
from stoculus.checkpoints import NO_HASH
from stoculus.kafka.consume import Values
from stoculus.reading.decoding import Decoder
from stoculus.reading.feed import Int64s, times_us
from stoculus.reading.partition import PartitionReader
from stoculus.reading.proof import day_runs
from stoculus.records.digest import DayDigest
from stoculus.verify.findings import Spots
from stoculus.verify.readable import Readable
from stoculus.verify.requested import Requested
from stoculus.verify.rows import Rows

_STRIKE_BITS: Final = 27
_LATEST_US: Final = to_utc_us(LAST_DAY, DAY_END)


class Scan:
    """What a topic holds. `rows` must be read to its end before the rest is true."""

    def __init__(self, requested: Requested, decoder: Decoder) -> None:
        self.spots = Spots()
        self._requested = requested
        self._columns = Readable(requested.schema.record, decoder, self.spots)
        self._digest = DayDigest()
        self._last_place = (0, -1)
        self.records = 0
        self.days: dict[date, int] = {}
        self.first_us: int | None = None
        self.last_us: int | None = None
        self.last_offset: int | None = None

    @property
    def hash(self) -> str:
        """The chained hash of `stoculus.checkpoints` over all records."""
        return self._digest.digest() if self.records else NO_HASH

    def rows(self, reader: PartitionReader) -> Iterator[Rows]:
        """The committed records, in order, each checked. Raise BrokerUnavailable, RegistryUnavailable, TopicLost."""
        for values in reader.read_values(reader.first):
            yield self._check(values)

    def _check(self, values: Values) -> Rows:
        good, batch = self._columns.read(values)
        kafka_us = _on_calendar(np.clip(values.times_ms, -1, _LATEST_US) * 1000)
        times = kafka_us.copy()
        times[good] = _on_calendar(times_us(batch))
        keys, bodies = pa.array(values.keys, pa.binary()), pa.array(values.bodies, pa.binary())
        rows = Rows(values.offsets, keys, times, bodies)
        self._check_kafka(values, kafka_us, times)
        self._check_names(rows, good, batch)
        self._check_order(rows, good, batch)
        self._count(rows)
        return rows

    def _check_kafka(self, values: Values, kafka_us: Int64s, times: Int64s) -> None:
        odd = np.flatnonzero(kafka_us // 1000 != times // 1000)
        if len(odd):
            first = f"{_at(int(kafka_us[odd[0]]))} instead of {_at(int(times[odd[0]]))}"
            self.spots.add("time", "Kafka's timestamp is not the event time", values.offsets[odd], first=first)
        with_headers = np.array(values.with_headers, np.int64)
        self.spots.add("headers", "historical records have no headers, these do", with_headers)

    def _check_names(self, rows: Rows, good: Int64s, batch: pa.RecordBatch) -> None:
        requested, symbols, offsets = self._requested, batch["symbol"], rows.numbers[good]
        keys: Any = rows.keys
        keys = keys if len(good) == len(rows) else keys.take(good)
        odd = _where(pc.not_equal(keys, symbols.cast(pa.binary())))
        if len(odd):
            first = f"{keys[odd[0]].as_py()!r} instead of {symbols[odd[0]].as_py()!r}"
            self.spots.add("key", "the key is not the symbol of the body", offsets[odd], first=first)
        names = batch["root" if requested.schema.asset == "option" else "symbol"]
        odd = _where(pc.not_equal(names, pa.scalar(requested.symbol)))
        if len(odd):
            first = f"{names[odd[0]].as_py()!r} instead of {requested.symbol!r}"
            self.spots.add("symbol", "the record is of another instrument", offsets[odd], first=first)

    def _check_order(self, rows: Rows, good: Int64s, batch: pa.RecordBatch) -> None:
        """By time; of a chain also by expiration, strike, calls before puts. Of what cannot be read nothing is said."""
        if not len(good):
            return
        is_chain = self._requested.schema.asset == "option"
        times = np.concatenate(([self._last_place[0]], rows.times_us[good]))
        contracts = np.concatenate(
            ([self._last_place[1]], _contracts(batch) if is_chain else np.zeros(len(good), np.int64))
        )
        self._last_place = int(times[-1]), int(contracts[-1])
        steps = np.diff(times)
        back = np.flatnonzero(steps < 0)
        offsets = rows.numbers[good]
        if len(back):
            first = f"{_at(int(times[back[0] + 1]))} behind {_at(int(times[back[0]]))}"
            self.spots.add("order", "the time goes back", offsets[back], _day(int(times[back[0] + 1])), first)
        back = np.flatnonzero((steps == 0) & (np.diff(contracts) < 0))
        if len(back):
            day, symbol = _day(int(times[back[0] + 1])), batch["symbol"][int(back[0])].as_py()
            what = "records of one time are not in the order of the chain"
            self.spots.add("order", what, offsets[back], day, f"{symbol} at {_at(int(times[back[0] + 1]))}")

    def _count(self, rows: Rows) -> None:
        self.records += len(rows)
        self.first_us = int(rows.times_us[0]) if self.first_us is None else self.first_us
        self.last_us, self.last_offset = int(rows.times_us[-1]), int(rows.numbers[-1])
        times: Any = pa.array(rows.times_us).cast(pa.timestamp("us", "UTC"))
        for day, start, count in day_runs(times):
            if day != self._digest.day:
                self._digest = DayDigest(day, self._digest.digest()) if self.days else DayDigest(day)
            self.days[day] = self.days.get(day, 0) + count
            part = rows[start : start + count]
            self._digest.add(part.keys, times[start : start + count], part.bodies)
            self._check_hours(part, day)

    def _check_hours(self, rows: Rows, day: date) -> None:
        bounds = self._requested.bounds_us(day)
        if bounds is None:
            self.spots.add("day", f"{day} was not asked for", rows.numbers, day)
        elif rows.times_us.min() < bounds[0] or rows.times_us.max() > bounds[1]:
            odd = np.flatnonzero((rows.times_us < bounds[0]) | (rows.times_us > bounds[1]))
            first = f"{_at(int(rows.times_us[odd[0]]))}, {_at(bounds[0])} to {_at(bounds[1])} was asked for"
            self.spots.add("session", "the time is outside of the session", rows.numbers[odd], day, first)


def _contracts(batch: pa.RecordBatch) -> Int64s:
    """A number a record that orders as a chain does."""
    days = batch["expiration"].cast(pa.int32()).to_numpy().astype(np.int64)
    with np.errstate(invalid="ignore", over="ignore"):  # a broken body may say anything
        strikes = np.rint(batch["strike"].to_numpy() * 1000).astype(np.int64)
    is_put = pc.equal(batch["right"], pa.scalar("PUT")).to_numpy(zero_copy_only=False)
    numbers: Int64s = ((days << _STRIKE_BITS) + strikes) * 2 + is_put
    return numbers


def _on_calendar(times_us: Int64s) -> Int64s:
    """The times, but the epoch for those that a broken record has and no calendar."""
    return np.where((times_us < 0) | (times_us > _LATEST_US), 0, times_us)


def _where(mask: Any) -> Int64s:
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False))


def _at(time_us: int) -> str:
    """A market time as people read it."""
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC) + timedelta(microseconds=time_us % 1_000_000)
    return moment.astimezone(NEW_YORK).replace(tzinfo=None).isoformat(" ", "milliseconds")


def _day(time_us: int) -> date:
    return datetime.fromtimestamp(time_us // 1_000_000, NEW_YORK).date()
