"""Frames to columns: quotes, trades and market values, times in UTC, instruments as numbers."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa

from stoculus.calendar import NEW_YORK
from stoculus.errors import VendorAnswerMalformed
from theta_client.stream.buffer import Frames
from theta_client.stream.subscription import Instrument, instrument_of

_DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HEAD: Final = [
    pa.field("frame", pa.int32(), nullable=False),
    pa.field("received_us", pa.int64(), nullable=False),
    pa.field("instrument", pa.int32(), nullable=False),
    pa.field("ts_event", pa.timestamp("us", "UTC"), nullable=False),
]
_TYPES: Final = {"int": pa.int32(), "long": pa.int64(), "double": pa.float64()}
_Int64s = np.ndarray[Any, np.dtype[np.int64]]
_Array = np.ndarray[Any, np.dtype[Any]]
_Row = tuple[Any, ...]
_UNFIT: Final = (pa.ArrowException, TypeError, ValueError, OverflowError)
_option_key: Final = itemgetter("security_type", "root", "expiration", "strike", "right")


@dataclass(frozen=True, slots=True)
class _Table:
    body: str
    values: Callable[[dict[str, Any]], _Row]  # date and ms_of_day, then the columns
    columns: list[tuple[str, Any, Any]]  # name, NumPy type, field
    schema: pa.Schema
    empty: pa.RecordBatch


def _table(body: str, columns: str, *, optional: bool = False) -> _Table:
    names = [column.split(":") for column in columns.split()]
    fields = [pa.field(name, _TYPES[kind], nullable=optional) for name, kind in names]
    keys = [name for name, _ in names]
    exactly: Callable[[dict[str, Any]], _Row] = itemgetter("date", "ms_of_day", *keys)

    def where_present(found: dict[str, Any]) -> _Row:
        return found["date"], found["ms_of_day"], *map(found.get, keys)

    dtypes = [np.dtype(field.type.to_pandas_dtype()) for field in fields]
    schema = pa.schema([*_HEAD, *fields])
    return _Table(
        body,
        where_present if optional else exactly,
        list(zip(keys, dtypes, fields, strict=True)),
        schema,
        pa.RecordBatch.from_pylist([], schema),
    )


_TABLES: Final = {
    "QUOTE": _table(
        "quote",
        "bid_size:long bid_exchange:int bid:double bid_condition:int "
        "ask_size:long ask_exchange:int ask:double ask_condition:int",
    ),
    "TRADE": _table("trade", "sequence:long condition:int size:long exchange:int price:double"),
    # Of an index there is only the price.
    "MARKET_VALUE": _table("market_value", "market_bid:double market_ask:double market_price:double", optional=True),
}


@dataclass(frozen=True, slots=True)
class Malformed:
    """A frame that is none of the documented messages: its place in the batch, its bytes, and why."""

    frame: int
    bytes: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The events of a batch by kind, each table in the order of arrival.

    Each has `frame` (place in the batch), `received_us`, `instrument` (place in Parser.instruments), `ts_event`
    (timestamp[us, UTC]), and the vendor's columns with the names and types of the records. `sequence` is signed as in
    the history. `skipped` counts messages by header type that hold no such event: the running OHLC, and unknown ones.
    """

    quotes: pa.RecordBatch
    trades: pa.RecordBatch
    market_values: pa.RecordBatch
    skipped: Counter[str]
    malformed: list[Malformed]


class Parser:
    """Gives each instrument a number when it is first seen; `instruments[number]` is the instrument."""

    def __init__(self) -> None:
        self.instruments: list[Instrument] = []
        self._numbers: dict[Instrument, int] = {}
        self._seen: dict[_Row, int] = {}  # as the frames spell them

    def parse(self, batch: Frames) -> Parsed:
        """The columns of a batch of frames. Malformed frames are set apart; nothing is raised."""
        loads, number, seen = orjson.loads, self._number, self._seen
        rows: dict[str, list[_Row]] = {kind: [] for kind in _TABLES}
        tables = {kind: (table.body, table.values, rows[kind].append) for kind, table in _TABLES.items()}
        skipped: Counter[str] = Counter()
        malformed: list[Malformed] = []
        place = -1
        for frame in batch.frames:
            place += 1
            try:
                message = loads(frame)
                kind = message["header"]["type"]
                table = tables.get(kind)
                if table is None:
                    skipped[str(kind)] += 1
                    continue
                contract = message["contract"]
                asset = contract["security_type"]
                # An option may share its root with an index.
                key = _option_key(contract) if asset == "OPTION" else (asset, contract["root"])
                body, values, append = table
                append((place, seen[key] if key in seen else number(key, contract), *values(message[body])))
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, VendorAnswerMalformed) as error:
                malformed.append(Malformed(place, frame, f"{type(error).__name__}: {error}"))
        received_us = np.array(batch.received_us, np.int64)
        quotes, trades, market_values = (
            _columns(rows[kind], table, received_us, batch.frames, malformed) for kind, table in _TABLES.items()
        )
        malformed.sort(key=lambda one: one.frame)
        return Parsed(quotes, trades, market_values, skipped, malformed)

    def _number(self, key: _Row, contract: dict[str, Any]) -> int:
        instrument = instrument_of(contract)
        number = self._numbers.setdefault(instrument, len(self.instruments))
        if number == len(self.instruments):
            self.instruments.append(instrument)
        self._seen[key] = number
        return number


def _columns(
    rows: Sequence[_Row], table: _Table, received_us: _Int64s, frames: list[bytes], malformed: list[Malformed]
) -> pa.RecordBatch:
    """The rows as a batch. Those with a value that its column cannot hold go to `malformed`."""
    try:
        return _batch(rows, table, received_us)
    except _UNFIT:
        good = []
        for row in rows:
            try:
                _batch([row], table, received_us)
                good.append(row)
            except _UNFIT as error:
                malformed.append(Malformed(row[0], frames[row[0]], f"{type(error).__name__}: {error}"))
        return _batch(good, table, received_us)


def _batch(rows: Sequence[_Row], table: _Table, received_us: _Int64s) -> pa.RecordBatch:
    if not rows:
        return table.empty
    places, numbers, dates, ms_of_day, *values = zip(*rows, strict=True)
    frame = np.array(places, np.int32)
    utc_us = _utc_us(_numbers(dates, "date", "i"), _numbers(ms_of_day, "ms_of_day", "i"))
    head: tuple[_Array, ...] = (frame, received_us[frame], np.array(numbers, np.int32), utc_us)
    columns = [_arrow(array, field.type) for array, field in zip(head, _HEAD, strict=True)]
    for column, (name, dtype, field) in zip(values, table.columns, strict=True):
        if field.nullable:
            columns.append(pa.array(column, field.type))
            continue
        array = _numbers(column, name, "i" if dtype.kind == "i" else "if")
        narrow = array.astype(dtype, copy=False)
        if dtype == np.int32 and (narrow != array).any():
            raise ValueError(f"{name} is too large")
        columns.append(_arrow(narrow, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=table.schema)


def _arrow(array: _Array, kind: pa.DataType) -> Any:
    # A quarter of the time of `pa.array`, which counts in batches of some tens of frames.
    return pa.Array.from_buffers(kind, len(array), [None, pa.py_buffer(array.data)])


def _numbers(values: Sequence[Any], name: str, kinds: str) -> _Array:
    # NumPy names the type that holds all values; told one, it would cut fractions off and read texts without a word.
    array = np.array(values)
    if array.ndim != 1 or array.dtype.kind not in kinds:
        raise ValueError(f"{name} is no number of its type")
    return array


def _utc_us(dates: _Int64s, ms_of_day: _Int64s) -> _Int64s:
    """New York days (yyyymmdd) and milliseconds of wall time to UTC microseconds; of a doubled hour the first."""
    if ms_of_day.min() < 0 or ms_of_day.max() >= _DAY_MS:
        raise ValueError("ms_of_day is outside of the day")
    utc_us: _Int64s = ms_of_day * 1000
    if dates[0] == dates[-1] and (dates == dates[0]).all():
        return _of_day(int(dates[0]), utc_us)
    for day in np.unique(dates):
        rows = dates == day
        utc_us[rows] = _of_day(int(day), utc_us[rows])
    return utc_us


def _of_day(yyyymmdd: int, us_of_day: _Int64s) -> _Int64s:
    midnight_us, first, last = _day(yyyymmdd)
    if first == last:
        return us_of_day + (midnight_us - first)
    return np.array([at - _offset_us(at) for at in (us_of_day + midnight_us).tolist()], np.int64)


@lru_cache(maxsize=1024)
def _day(yyyymmdd: int) -> tuple[int, int, int]:
    """The wall time of a New York day's midnight, and the offsets from UTC at its first and last moment (all µs)."""
    day = date(yyyymmdd // 10_000, yyyymmdd // 100 % 100, yyyymmdd % 100)
    midnight_us = (datetime.combine(day, time(), UTC) - _EPOCH) // timedelta(microseconds=1)
    return midnight_us, _offset_us(midnight_us), _offset_us(midnight_us + _DAY_MS * 1000 - 1)


def _offset_us(wall_us: int) -> int:
    offset = (_EPOCH + timedelta(microseconds=wall_us)).replace(tzinfo=NEW_YORK).utcoffset()
    assert offset is not None  # noqa: S101 - NEW_YORK always has one
    return offset // timedelta(microseconds=1)
