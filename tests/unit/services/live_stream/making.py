"""Trades for bars, and bars by plain Python: one trade at a time, by the rules as people read them."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple, cast

import pyarrow as pa

from stoculus.calendar import NEW_YORK
from stoculus.records.catalog import record_type
from stoculus.records.codec import decode, encode

RULES: Mapping[int, str] = {0: "VHL=", 96: "VHL*", 115: "V", 62: "VHL", 84: "H", 85: "L", 107: "=", 56: "HL=", 51: ""}
"""What some conditions update: volume, high, low, last (=), last if it is the first (*). Others: nothing."""


def vendors_rules(table: Path) -> dict[int, str]:
    """The rules of the vendor's own table: a CSV with a column for each thing that a condition may update."""
    letters = {"Volume": "V", "High": "H", "Low": "L"}
    last = {"true": "=", "*": "*"}
    with table.open() as file:
        return {
            int(row["Code"]): "".join(letter for name, letter in letters.items() if row[name] == "true")
            + last.get(row["Last"], "")
            for row in csv.DictReader(file)
        }


Bar = tuple[str, int, float, float, float, float, int, int, float]
"""Symbol, open in µs, open, high, low, close, volume, count, vwap."""
BAR_COLUMNS = ("symbol", "ts_event", "open", "high", "low", "close", "volume", "count", "vwap")


class Trade(NamedTuple):
    symbol: str
    us: int
    condition: int
    size: int
    price: float


def micros(day: date, hour: int, minute: int, second: float = 0) -> int:
    """New York wall time to microseconds, UTC."""
    whole = datetime(day.year, day.month, day.day, hour, minute, int(second), tzinfo=NEW_YORK)
    return round(whole.timestamp()) * 1_000_000 + round(second % 1 * 1_000_000)


def stock_trades(trades: Iterable[Trade]) -> pa.RecordBatch:
    """As columns of StockTrade."""
    rows = list(trades)
    arrow = record_type("StockTrade").arrow
    given: dict[str, list[Any]] = {
        "symbol": [row.symbol for row in rows],
        "ts_event": [row.us for row in rows],
        "condition": [row.condition for row in rows],
        "size": [row.size for row in rows],
        "price": [row.price for row in rows],
    }
    arrays = []
    for column in arrow:
        values = given.get(column.name, [None if column.nullable else 1] * len(rows))
        arrays.append(pa.array(values, column.type))
    return pa.RecordBatch.from_arrays(arrays, schema=arrow)


def bodies_in(bodies: pa.BinaryArray) -> list[bytes]:
    """Avro bodies as a list."""
    return cast(list[bytes], bodies.to_pylist())


def bars_in(batches: Iterable[pa.RecordBatch]) -> list[Bar]:
    """The bars of record batches, once through Avro and back."""
    found: list[Bar] = []
    for batch in batches:
        record = record_type("OptionOhlcv" if "root" in batch.schema.names else "StockOhlcv")
        rows = decode(bodies_in(encode(batch, record)), record)
        columns = [rows[name].cast(pa.int64()) if name == "ts_event" else rows[name] for name in BAR_COLUMNS]
        found += zip(*(column.to_pylist() for column in columns), strict=True)
    return found


@dataclass
class PlainBars:
    """Bars of one session, trade by trade."""

    start_us: int
    end_us: int
    interval_us: int
    grace_us: int = 0
    watermark_us: int = 0
    rules: Mapping[int, str] = field(default_factory=lambda: RULES)
    late: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    _open: dict[tuple[int, str], list[Trade]] = field(default_factory=lambda: defaultdict(list))
    _totals: dict[str, tuple[int, int]] = field(default_factory=lambda: defaultdict(lambda: (0, 0)))

    def add(self, trade: Trade) -> None:
        if not self.start_us <= trade.us <= self.end_us or not self.rules.get(trade.condition):
            return
        opens_us = self._bar_at(trade.us)
        if opens_us < self.watermark_us:
            self.late[trade.symbol, opens_us] += 1
            self._count(trade)
        else:
            self._open[opens_us, trade.symbol].append(trade)

    def advance(self, now_us: int) -> list[Bar]:
        self.watermark_us = max(self.watermark_us, self._bar_at(now_us - self.grace_us))
        due = sorted(key for key in self._open if key[0] < self.watermark_us)
        bars = [self._bar(opens_us, symbol, self._open.pop((opens_us, symbol))) for opens_us, symbol in due]
        return [bar for bar in bars if bar[7]]

    def close(self) -> list[Bar]:
        return self.advance(self.end_us + self.grace_us + 1)

    def _bar_at(self, us: int) -> int:
        if not self.start_us <= us <= self.end_us:
            return us
        return self.start_us + (us - self.start_us) // self.interval_us * self.interval_us

    def _count(self, trade: Trade) -> int:
        volume, turnover = self._totals[trade.symbol]
        if "V" not in self.rules[trade.condition]:
            return 0
        self._totals[trade.symbol] = volume + trade.size, turnover + trade.size * round(trade.price * 10_000)
        return 1

    def _bar(self, opens_us: int, symbol: str, trades: list[Trade]) -> Bar:
        opening = close = high = low = None
        volume = count = 0
        for trade in trades:
            rule, price = self.rules[trade.condition], trade.price
            if "=" in rule or ("*" in rule and close is None):
                opening, close = price if opening is None else opening, price
            if "H" in rule:
                high = price if high is None else max(high, price)
            if "L" in rule:
                low = price if low is None else min(low, price)
            if self._count(trade):
                volume, count = volume + trade.size, count + 1
        total, turnover = self._totals[symbol]
        # Half up, exactly: turnover is in 1/10000 dollar.
        vwap = (2 * turnover + 100 * total) // (200 * total) / 100 if total else 0.0
        return symbol, opens_us, opening or 0.0, high or 0.0, low or 0.0, close or 0.0, volume, count, vwap
