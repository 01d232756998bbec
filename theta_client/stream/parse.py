"""Frames to columns: quotes, trades and market values, times in UTC, instruments as numbers."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from operator import attrgetter
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from msgspec.structs import astuple

from stoculus.calendar import to_utc_us
from stoculus.errors import VendorAnswerMalformed
from theta_client.stream.buffer import Frames
from theta_client.stream.messages import (
    DAY_MS,
    Contract,
    Event,
    Int,
    Long,
    MarketValue,
    Message,
    Quote,
    Trade,
    decode,
    decode_contract,
    decode_envelope,
)
from theta_client.stream.subscription import Instrument, instrument_of
from theta_client.stream.table import HEAD, Table

try:
    from theta_client.stream import _cut
except ImportError:
    HAS_EXTENSION = False
else:
    HAS_EXTENSION = True

_ARROW: Final[dict[Any, pa.DataType]] = {Int: pa.int32(), Long: pa.int64(), float: pa.float64()}
_UNFIT: Final = (ValueError, TypeError, RecursionError, VendorAnswerMalformed)


@dataclass(frozen=True, slots=True, eq=False)
class _Kind:
    body_of: Callable[[Message], Any]
    schema: pa.Schema
    empty: Table


def _kind(body: str, event: type[Event]) -> _Kind:
    _, _, *own = msgspec.structs.fields(event)
    fields = [pa.field(one.name, _ARROW.get(one.type, pa.float64()), nullable=not one.required) for one in own]
    schema = pa.schema([*HEAD, *fields])
    return _Kind(attrgetter(body), schema, Table(schema, np.empty((len(schema), 0), np.int64)))


_KINDS: Final = {
    "QUOTE": _kind("quote", Quote),
    "TRADE": _kind("trade", Trade),
    "MARKET_VALUE": _kind("market_value", MarketValue),
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

    Each has `frame` (place in the batch), `received_us`, `instrument` (place in Parser.instruments), `ts_event`, and
    the vendor's columns with the names and types of the records. `sequence` is signed as in the history. `skipped`
    counts messages by header type that hold no such event: the running OHLC, and unknown ones.
    """

    quotes: Table
    trades: Table
    market_values: Table
    skipped: Counter[str]
    malformed: list[Malformed]


class Parser:
    """Gives each instrument a number when it is first seen; `instruments[number]` is the instrument."""

    def __init__(self, *, use_extension: bool = HAS_EXTENSION) -> None:
        self.instruments: list[Instrument] = []
        self._use_extension = use_extension
        self._numbers = _Numbers(self.instruments)
        self._numbers_by_text = _NumbersByText(self._numbers)
        self._midnights = _Midnights()

    def parse(self, batch: Frames) -> Parsed:
        """The columns of a batch of frames. Malformed frames are set apart; nothing is raised."""
        try:
            if self._use_extension:
                cut = _cut.cut(batch.frames, batch.received_us, self._numbers_by_text, self._midnights)
                if cut:
                    return _parsed_from(*cut)
            messages = list(map(decode, batch.frames))
            return self._parsed(range(len(messages)), messages, batch.received_us, Counter(), [])
        except _UNFIT:
            return self._one_by_one(batch)

    def _one_by_one(self, batch: Frames) -> Parsed:
        places, messages = [], []
        skipped: Counter[str] = Counter()
        malformed: list[Malformed] = []
        for place, frame in enumerate(batch.frames):
            try:
                message = decode(frame)
                self._parsed([0], [message], [0], Counter(), [])
            except _UNFIT as error:
                unknown = _unknown_kind(frame)
                if unknown is None:
                    malformed.append(Malformed(place, frame, f"{type(error).__name__}: {error}"))
                else:
                    skipped[unknown] += 1
            else:
                places.append(place)
                messages.append(message)
        return self._parsed(places, messages, batch.received_us, skipped, malformed)

    def _parsed(
        self,
        places: Sequence[int],
        messages: list[Message],
        received_us: list[int],
        skipped: Counter[str],
        malformed: list[Malformed],
    ) -> Parsed:
        kinds = [message.header.type for message in messages]
        tables, taken = [], 0
        for name, kind in _KINDS.items():
            mine = [row for row, its in enumerate(kinds) if its == name]
            taken += len(mine)
            tables.append(
                self._table([places[row] for row in mine], [messages[row] for row in mine], kind, received_us)
                if mine
                else kind.empty
            )
        if taken < len(kinds):
            skipped.update(name for name in kinds if name not in _KINDS)
        quotes, trades, market_values = tables
        return Parsed(quotes, trades, market_values, skipped, malformed)

    def _table(self, places: list[int], messages: list[Message], kind: _Kind, received_us: list[int]) -> Table:
        body_of, numbers = kind.body_of, self._numbers
        dates, ms_of_day, *own = zip(*[astuple(body_of(message)) for message in messages], strict=True)
        columns = (
            places,
            [received_us[place] for place in places],
            [numbers[message.contract] for message in messages],
            self._midnights.utc_us(dates, ms_of_day),
            *own,
        )
        words = np.empty((len(columns), len(places)), np.int64)
        for row, field, values in zip(words, kind.schema, columns, strict=True):
            if pa.types.is_floating(field.type):
                row.view(np.float64)[:] = np.array(values, np.float64)  # None becomes NaN
            else:
                row[:] = values
        return Table(kind.schema, words)


def _parsed_from(quotes: bytes, trades: bytes, ohlc: int) -> Parsed:
    skipped = Counter(OHLC=ohlc) if ohlc else Counter[str]()
    return Parsed(_unpacked("QUOTE", quotes), _unpacked("TRADE", trades), _KINDS["MARKET_VALUE"].empty, skipped, [])


def _unpacked(name: str, words: bytes) -> Table:
    kind = _KINDS[name]
    return Table(kind.schema, np.frombuffer(words, np.int64).reshape(len(kind.schema), -1)) if words else kind.empty


def _unknown_kind(frame: bytes) -> str | None:
    """The kind of a message that is none of the tables', whatever else it holds."""
    try:
        kind = decode_envelope(frame).header.type
    except _UNFIT:
        return None
    return None if kind in _KINDS else kind


class _Numbers(dict[Contract | None, int]):
    """The instruments' numbers by contract; a contract is spelled in more than one way."""

    def __init__(self, instruments: list[Instrument]) -> None:
        super().__init__()
        self._instruments = instruments
        self._of: dict[Instrument, int] = {}

    def __missing__(self, contract: Contract | None) -> int:
        instrument = instrument_of(msgspec.to_builtins(contract) or {})
        number = self._of.setdefault(instrument, len(self._instruments))
        if number == len(self._instruments):
            self._instruments.append(instrument)
        self[contract] = number
        return number


class _NumbersByText(dict[bytes, int]):
    """The same by a contract's JSON text."""

    def __init__(self, numbers: _Numbers) -> None:
        super().__init__()
        self._numbers = numbers

    def __missing__(self, text: bytes) -> int:
        self[text] = number = self._numbers[decode_contract(text)]
        return number


class _Midnights(dict[int, int | None]):
    """UTC microseconds of a New York day's (yyyymmdd) midnight; None where the clocks change that day."""

    def __missing__(self, yyyymmdd: int) -> int | None:
        midnight_us, last_us = _utc_us(yyyymmdd, 0), _utc_us(yyyymmdd, DAY_MS - 1)
        self[yyyymmdd] = midnight_us if last_us - midnight_us == (DAY_MS - 1) * 1000 else None
        return self[yyyymmdd]

    def utc_us(self, dates: Sequence[int], ms_of_day: Sequence[int]) -> list[int]:
        """New York wall times to UTC; of a doubled hour the first. Raise ValueError where there is no such day."""
        midnight_us = self[dates[0]]
        if midnight_us is not None and dates.count(dates[0]) == len(dates):
            return [midnight_us + ms * 1000 for ms in ms_of_day]
        return [
            _utc_us(day, ms) if (midnight_us := self[day]) is None else midnight_us + ms * 1000
            for day, ms in zip(dates, ms_of_day, strict=True)
        ]


def _utc_us(yyyymmdd: int, ms_of_day: int) -> int:
    day = date(yyyymmdd // 10_000, yyyymmdd // 100 % 100, yyyymmdd % 100)
    wall = datetime.combine(day, time()) + timedelta(milliseconds=ms_of_day)
    return to_utc_us(day, wall.time())
