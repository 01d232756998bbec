"""The rows of one contract and day as columns, before they are joined with those of other contracts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final, TypeVar

import numpy as np

from simulator.cells import UNITS_PER_DOLLAR
from simulator.market import Eod, Grid, Ints, Quotes, Ticks, Trades, quotes_at_trades
from simulator.options import OptionSource, Underlying
from simulator.options.greeks import midpoint, years_to_expiry
from simulator.options.parameters import OptionHistory
from stoculus.calendar import option_session_hours, session_close
from stoculus.instruments import OptionContract

_SECOND_MS: Final = 1_000
Columns = list[Ints]
T = TypeVar("T", bound=Ticks)


@dataclass(frozen=True, slots=True)
class Piece:
    """Equally long columns; times are datetime64[ms]. For greeks these end them: price, years, spot's time, spot."""

    contract: OptionContract
    columns: Columns

    def __len__(self) -> int:
        return len(self.columns[0])

    def parts(self, rows: int) -> Iterator["Piece"]:
        """The piece in pieces of at most so many rows."""
        for first in range(0, len(self), rows):
            yield Piece(self.contract, [column[first : first + rows] for column in self.columns])


class Pieces:
    """Reads the rows of a request's contracts from the source."""

    def __init__(self, source: OptionSource, request: OptionHistory) -> None:
        self._source = source
        self._request = request
        self._paths: dict[date, Underlying | None] = {}
        reads: dict[str, Callable[[OptionContract, date, int], Columns | None]] = {
            "eod": self._eod,
            "ohlc": self._bars,
            "quote": self._quotes,
            "trade": self._trades,
            "trade_quote": self._trade_quotes,
            "open_interest": self._open_interest,
            "greeks": self._eod_greeks if request.table.reports else self._greeks,
            "trade_greeks": self._trade_greeks,
        }
        self._read = reads[request.table.family]

    def of(self, contract: OptionContract, day: date, until_ms: int) -> Piece | None:
        """The rows of the day that are known at a millisecond of it; None where there is none."""
        columns = self._read(contract, day, until_ms)
        return Piece(contract, columns) if columns and len(columns[0]) else None

    def _bars(self, contract: OptionContract, day: date, until_ms: int) -> Columns | None:
        grid = self._grid(until_ms)
        return _of_ticks(day, self._source.bars(contract, day, grid) if grid else None)

    def _quotes(self, contract: OptionContract, day: date, until_ms: int) -> Columns | None:
        return _of_ticks(day, self._quote_rows(contract, day, until_ms))

    def _trades(self, contract: OptionContract, day: date, until_ms: int) -> Columns | None:
        return _of_ticks(day, self._trade_rows(contract, day, until_ms))

    def _trade_quotes(self, contract: OptionContract, day: date, until_ms: int) -> Columns | None:
        trades = self._trade_rows(contract, day, until_ms)
        quotes = self._source.quotes(contract, day) if trades is not None and len(trades) else None
        if trades is None or quotes is None:
            return None
        beside = quotes_at_trades(trades, quotes, exclusive=self._request.exclusive)
        return [_times(day, trades.ms), _times(day, beside.ms), *trades.columns()[1:], *beside.columns()[1:]]

    def _open_interest(self, contract: OptionContract, day: date, until_ms: int) -> Columns | None:
        report = self._source.open_interest(contract, day)
        if report is None or report[0] > until_ms:
            return None
        return [_times(day, np.array(report[:1])), np.array(report[1:])]

    def _eod(self, contract: OptionContract, day: date, until_ms: int) -> Columns | None:
        report = self._report(contract, day, until_ms)
        if report is None:
            return None
        times = [_times(day, np.array([ms])) for ms in (report.created_ms, report.last_trade_ms)]
        return [*times, *_day_columns(report)]

    def _eod_greeks(self, contract: OptionContract, day: date, until_ms: int) -> Columns | None:
        """At the last quote of the session and the underlying's close; known with the report."""
        report, path = self._report(contract, day, until_ms), self._path(day)
        if report is None or path is None:
            return None
        quotes = self._source.quotes(contract, day)
        end_ms = _ms(option_session_hours(contract.root, day, "regular")[1])
        before = quotes.ms[: np.searchsorted(quotes.ms, end_ms, "right")] if quotes is not None else np.array([])
        ms = np.array([before[-1] if len(before) else end_ms])
        day_columns = _day_columns(report)
        bid, ask = np.array([report.quote[2]]), np.array([report.quote[6]])
        price = midpoint(bid, ask) / UNITS_PER_DOLLAR
        spot = path.price[_at(path, np.array([_ms(session_close(day))]))]
        years = years_to_expiry(contract.expiration, day, ms, self._request.model.version)
        return [_times(day, ms), *day_columns, price, years, _times(day, np.array([report.created_ms])), spot]

    def _greeks(self, contract: OptionContract, day: date, until_ms: int) -> Columns | None:
        quotes, path = self._quote_rows(contract, day, until_ms), self._path(day)
        if quotes is None or path is None:
            return None
        price = midpoint(quotes.bid, quotes.ask) / UNITS_PER_DOLLAR
        front = [_times(day, quotes.ms), quotes.bid, quotes.ask]
        return [*front, *self._inputs(contract, day, quotes.ms, price, path)]

    def _trade_greeks(self, contract: OptionContract, day: date, until_ms: int) -> Columns | None:
        trades, path = self._trade_rows(contract, day, until_ms), self._path(day)
        if trades is None or path is None:
            return None
        price = trades.price / UNITS_PER_DOLLAR
        front = [_times(day, trades.ms), *trades.columns()[1:]]
        return [*front, *self._inputs(contract, day, trades.ms, price, path)]

    def _inputs(self, contract: OptionContract, day: date, ms: Ints, price: Any, path: Underlying) -> Columns:
        """The underlying has a price a second, as at the vendor."""
        second = ms // _SECOND_MS * _SECOND_MS
        years = years_to_expiry(contract.expiration, day, ms, self._request.model.version)
        return [price, years, _times(day, second), path.price[_at(path, second)]]

    def _grid(self, until_ms: int) -> Grid | None:
        grid = Grid(self._request.start_ms, min(self._request.end_ms, until_ms), self._request.interval_ms)
        return grid if grid.start_ms <= grid.end_ms else None

    def _quote_rows(self, contract: OptionContract, day: date, until_ms: int) -> Quotes | None:
        if self._request.interval_ms:
            grid = self._grid(until_ms)
            return self._source.quotes_at(contract, day, grid) if grid else None
        quotes = self._source.quotes(contract, day)
        return None if quotes is None else self._window(quotes, until_ms)

    def _trade_rows(self, contract: OptionContract, day: date, until_ms: int) -> Trades | None:
        trades = self._source.trades(contract, day)
        return None if trades is None else self._window(trades, until_ms)

    def _window(self, ticks: T, until_ms: int) -> T:
        return ticks.window(self._request.start_ms, min(self._request.end_ms, until_ms))

    def _report(self, contract: OptionContract, day: date, until_ms: int) -> Eod | None:
        report = self._source.eod(contract, day)
        return None if report is None or report.created_ms > until_ms else report

    def _path(self, day: date) -> Underlying | None:
        if day not in self._paths:
            self._paths[day] = self._source.underlying(self._request.symbol, day)
        return self._paths[day]


def _of_ticks(day: date, ticks: Ticks | None) -> Columns | None:
    if ticks is None:
        return None
    ms, *others = ticks.columns()
    return [_times(day, ms), *others]


def _day_columns(report: Eod) -> Columns:
    numbers = (report.open, report.high, report.low, report.close, report.volume, report.count, *report.quote)
    return [np.array([number]) for number in numbers]


def _at(path: Underlying, ms: Ints) -> Ints:
    """The last price at or before; before the first, the first."""
    at: Ints = np.maximum(np.searchsorted(path.ms, ms, "right") - 1, 0)
    return at


def _times(day: date, ms: Ints) -> Ints:
    times: Ints = np.datetime64(day, "ms") + ms.astype("timedelta64[ms]")
    return times


def _ms(at: time) -> int:
    return ((at.hour * 60 + at.minute) * 60 + at.second) * 1000
