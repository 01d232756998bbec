"""Recorded stock data in LEAN's folder layout, answered by the rules of `market-data/as-vendor.md`.

Below `<root>/equity/usa`: `{tick,second,minute}/<ticker>/<yyyymmdd>_{trade,quote}.zip` and `daily/<ticker>.zip`.
Nothing is made up: what no file holds is None. Options: `simulator.options.recordings`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeVar, cast

from simulator.caching import ByteCache
from simulator.market import (
    DAY_MS,
    Bars,
    Eod,
    Grid,
    Quotes,
    Ticks,
    Trades,
    bars_of_bars,
    bars_of_trades,
    quotes_on_grid,
)
from simulator.sources import Kind
from simulator.sources.lean import (
    counted_by_volume,
    daily_reports,
    day_of,
    only_text,
    quote_bars,
    tick_quotes,
    tick_trades,
    trade_bars,
)
from stoculus.errors import SettingsInvalid

BarResolution = Literal["second", "minute"]
LENGTH_MS: Final[dict[BarResolution, int]] = {"second": 1_000, "minute": 60_000}
_CACHE_BYTES = 512 * 1024 * 1024
T = TypeVar("T", bound=Ticks)


class Recordings:
    """A folder of recordings as a source; raises SettingsInvalid where it is none."""

    limited_by_tier = False

    def __init__(self, root: Path) -> None:
        stocks = root / "equity" / "usa"
        if not stocks.is_dir():
            raise SettingsInvalid(
                f"{root} holds no recordings: there is no {stocks}.",
                remedy="Point STOCULUS_SIM_RECORDINGS to the folder that holds equity/usa.",
            )
        self._files = _intraday_files(stocks)
        self._daily_files = {path.stem.upper(): path for path in stocks.glob("daily/*.zip")}
        self._held: ByteCache[Path, Ticks] = ByteCache(_CACHE_BYTES, lambda rows: rows.bytes)
        self._daily: dict[str, dict[date, Eod]] = {}

    def symbols(self) -> Sequence[str]:
        return sorted({symbol for _, symbol, _, _ in self._files} | set(self._daily_files))

    def dates(self, symbol: str, kind: Kind) -> Sequence[date]:
        days = {day for _, name, day, what in self._files if (name, what) == (symbol, kind)}
        return sorted(days | set(self._reports(symbol) if kind == "trade" else ()))

    def trades(self, symbol: str, day: date) -> Trades | None:
        return self._read(tick_trades, "tick", symbol, day, "trade")

    def quotes(self, symbol: str, day: date) -> Quotes | None:
        return self._read(tick_quotes, "tick", symbol, day, "quote")

    def bars(self, symbol: str, day: date, grid: Grid) -> Bars | None:
        if grid.interval_ms < LENGTH_MS["second"]:
            trades = self.trades(symbol, day)
            return None if trades is None else bars_of_trades(trades, grid)
        base = self._bars(symbol, day, "minute" if grid.interval_ms >= LENGTH_MS["minute"] else "second")
        return None if base is None else bars_of_bars(base, grid)

    def _bars(self, symbol: str, day: date, resolution: BarResolution) -> Bars | None:
        """The bars of the resolution's file, else of the next finer file."""
        found = self._read(lambda text: counted_by_volume(trade_bars(text)), resolution, symbol, day, "trade")
        if found is not None:
            return found
        whole_day = Grid(0, DAY_MS - 1, LENGTH_MS[resolution])
        if resolution == "minute":
            seconds = self._bars(symbol, day, "second")
            return None if seconds is None else counted_by_volume(bars_of_bars(seconds, whole_day))
        trades = self.trades(symbol, day)
        return None if trades is None else counted_by_volume(bars_of_trades(trades, whole_day))

    def quotes_at(self, symbol: str, day: date, grid: Grid) -> Quotes | None:
        quotes = self.quotes(symbol, day)
        for resolution, length_ms in LENGTH_MS.items():
            if quotes is None:
                quotes = self._read(partial(quote_bars, length_ms=length_ms), resolution, symbol, day, "quote")
        return None if quotes is None else quotes_on_grid(quotes, grid)

    def eod(self, symbol: str, start: date, end: date) -> Sequence[tuple[date, Eod]]:
        reports = self._reports(symbol)
        days = sorted(reports)
        return [(day, reports[day]) for day in days[bisect_left(days, start) : bisect_right(days, end)]]

    def _reports(self, symbol: str) -> dict[date, Eod]:
        if symbol not in self._daily:
            path = self._daily_files.get(symbol)
            self._daily[symbol] = dict(daily_reports(only_text(path))) if path else {}
        return self._daily[symbol]

    def _read(self, parse: Callable[[bytes], T], folder: str, symbol: str, day: date, kind: Kind) -> T | None:
        path = self._files.get((folder, symbol, day, kind))
        if path is None:
            return None
        # One path has one parser.
        return cast(T, self._held.get_or(path, lambda: parse(only_text(path))))


def _intraday_files(stocks: Path) -> dict[tuple[str, str, date, str], Path]:
    files = {}
    for path in stocks.glob("*/*/*.zip"):
        day, _, kind = path.stem.partition("_")
        if path.parts[-3] in ("tick", "second", "minute") and kind in ("trade", "quote"):
            files[path.parts[-3], path.parts[-2].upper(), day_of(day), kind] = path
    return files
