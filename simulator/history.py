"""History requests to rendered rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

from simulator import tables
from simulator.caching import ByteCache
from simulator.cells import four_decimals
from simulator.clock import Clock
from simulator.endpoints import HistoryEndpoint
from simulator.formats import BLOCK_ROWS, Block, Columns, Dialect, render
from simulator.market import Eod, Grid, Ints, Ticks, Trades, quotes_at_trades
from simulator.parameters import History, HistoryKind, history
from simulator.sources import Source

# So that a day of ten million quotes is kept too.
_CACHE_BYTES = 768 * 1024 * 1024

COLUMNS: dict[HistoryKind, Columns] = {
    "eod": tables.EOD,
    "ohlc": tables.OHLC,
    "quote": tables.QUOTE,
    "trade": tables.TRADE,
    "trade_quote": tables.TRADE_QUOTE,
}


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a day that are rendered block by block."""

    length: int
    block: Callable[[slice], Block]


class StockHistories:
    """Answers history requests from a source, up to the clock's instant; whole past days are kept rendered."""

    def __init__(self, source: Source, clock: Clock) -> None:
        self._source = source
        self._clock = clock
        self._rendered: ByteCache[Any, list[memoryview]] = ByteCache(_CACHE_BYTES, lambda runs: sum(map(len, runs)))

        self.endpoints = {
            f"stock/history/{kind}": HistoryEndpoint(
                partial(history, kind), columns, at_interval=kind in ("ohlc", "quote"), runs=self.runs
            )
            for kind, columns in COLUMNS.items()
        }

    def runs(self, request: History, dialect: Dialect) -> Iterator[memoryview]:
        """Rendered rows, a block at a time; nothing where there is no row."""
        now = self._clock.now()
        if request.kind == "eod":
            reports = self._source.eod(request.symbol, request.start, min(request.end, now.date()))
            made = [(day, report) for day, report in reports if _instant(day, report.created_ms) <= _wall(now)]
            if made:
                yield render(request.format, tables.EOD, eod_block(made), dialect)
            return
        for number in range((request.end - request.start).days + 1):
            day = request.start + timedelta(days=number)
            if day < now.date():
                yield from self._whole_day(replace(request, start=day, end=day), dialect)
            elif day == now.date():
                end_ms = min(request.end_ms, int((_wall(now) - np.datetime64(day)) / np.timedelta64(1, "ms")))
                yield from self._day(replace(request, start=day, end=day, end_ms=end_ms), dialect)

    def _whole_day(self, request: History, dialect: Dialect) -> Iterator[memoryview]:
        key = (request, dialect)
        held = self._rendered.get(key)
        if held is None:
            held = []
            for run in self._day(request, dialect):
                held.append(run)
                yield run
            self._rendered.put(key, held)
        else:
            yield from held

    def _day(self, request: History, dialect: Dialect) -> Iterator[memoryview]:
        rows = self._rows(request)
        for first in range(0, rows.length, BLOCK_ROWS):
            block = rows.block(slice(first, first + BLOCK_ROWS))
            yield render(request.format, COLUMNS[request.kind], block, dialect)

    def _rows(self, request: History) -> _Rows:
        day = request.start
        if request.kind == "trade":
            return _of_ticks(self._source.trades(request.symbol, day), request)
        if request.kind == "trade_quote":
            return self._trade_quotes(request)
        if request.kind == "quote" and not request.interval_ms:
            return _of_ticks(self._source.quotes(request.symbol, day), request)
        if request.start_ms > request.end_ms:
            return _of_ticks(None, request)
        grid = Grid(request.start_ms, request.end_ms, request.interval_ms)
        answer = self._source.bars if request.kind == "ohlc" else self._source.quotes_at
        return _of_ticks(answer(request.symbol, day, grid), request)

    def _trade_quotes(self, request: History) -> _Rows:
        trades = self._source.trades(request.symbol, request.start)
        quotes = self._source.quotes(request.symbol, request.start)
        if trades is None or quotes is None:
            return _of_ticks(None, request)
        inside = trades.window(request.start_ms, request.end_ms)

        def block(part: slice) -> Block:
            some: Trades = inside.rows(part)
            beside = quotes_at_trades(some, quotes, exclusive=request.exclusive)
            times = [_times(request.start, some.ms), _times(request.start, beside.ms)]
            return [*times, *some.columns()[1:], *beside.columns()[1:]]

        return _Rows(len(inside), block)


def _of_ticks(ticks: Ticks | None, request: History) -> _Rows:
    if ticks is None:
        return _Rows(0, lambda _: [])
    inside = ticks.window(request.start_ms, request.end_ms)

    def block(part: slice) -> Block:
        ms, *others = inside.rows(part).columns()
        return [_times(request.start, ms), *others]

    return _Rows(len(inside), block)


def _times(day: date, ms: Ints) -> Any:
    return np.datetime64(day, "ms") + ms.astype("timedelta64[ms]")


def _wall(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.replace(tzinfo=None), "ms")


def _instant(day: date, ms: int) -> np.datetime64:
    return np.datetime64(day, "ms") + np.timedelta64(ms, "ms")


def eod_block(reports: Sequence[tuple[date, Eod]]) -> Block:
    """Reports as the columns of the EOD table."""
    rows = [_eod_row(day, report) for day, report in reports]
    created, last_trade, *others = zip(*rows, strict=True)
    return [np.array(created), np.array(last_trade), *(list(column) for column in others)]


def _eod_row(day: date, report: Eod) -> list[Any]:
    """All prices of a row share one scale: four decimals where one of them needs it, else three."""
    bid_size, bid_exchange, bid, bid_condition, ask_size, ask_exchange, ask, ask_condition = report.quote
    prices = (report.open, report.high, report.low, report.close, bid, ask)
    cut = None if any(price % 10 for price in prices) else -1
    opening, high, low, close, bid_text, ask_text = (four_decimals(price)[:cut] for price in prices)
    return [
        *(_instant(day, report.created_ms), _instant(day, report.last_trade_ms)),
        *(opening, high, low, close, report.volume, report.count),
        *(bid_size, bid_exchange, bid_text, bid_condition, ask_size, ask_exchange, ask_text, ask_condition),
    ]
