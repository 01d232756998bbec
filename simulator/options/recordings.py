"""Recorded option chains in LEAN's folder layout, answered by the rules of `market-data/as-vendor.md`.

Below `<root>/{option,indexoption,indexoption-untrimmed}/usa`: `minute/<root>/<yyyymmdd>_<kind>_<style>.zip` and
`{hour,daily}/<root>_<yyyy>_<kind>_<style>.zip`; kind is `trade`, `quote` or `openinterest`. Of two trees with the same
file the later one wins.

Nothing is made up: what no file holds is None. Bars and quotes at an interval come from the minute files, reports from
the daily trade files, open interest from the file of the day, else of the year. The contracts of a day are the members
of its minute file, else those that the daily file has on it. Hour files answer nothing but open interest.
"""

from collections.abc import Callable, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast, get_args

from simulator.caching import ByteCache
from simulator.market import Bars, Eod, Grid, Quotes, Ticks, Trades, bars_of_bars, quotes_on_grid
from simulator.options import Kind, Underlying
from simulator.options.lean import (
    MINUTE_MS,
    ByDay,
    ChainRows,
    contracts_of,
    open_interest_of_day,
    open_interest_of_year,
    quote_bar_chain,
    quoted_days_of_year,
    reports_of_year,
    trade_bar_chain,
)
from simulator.sources.lean import counted_by_volume, day_of
from stoculus.instruments import OptionContract

What = Literal["trade", "quote", "openinterest"]
T = TypeVar("T", bound=Ticks)
V = TypeVar("V")

_TREES: Final = ("option", "indexoption", "indexoption-untrimmed")
# What a file of a year answers, and how it is read; hour files have the truer time of open interest, so they win.
_YEARLY: Final[tuple[tuple[str, What], ...]] = (
    ("daily", "trade"),
    ("daily", "quote"),
    ("daily", "openinterest"),
    ("hour", "openinterest"),
)
_READ_YEAR: Final[dict[What, Callable[[Path, str], ByDay[Any]]]] = {
    "trade": reports_of_year,
    "quote": quoted_days_of_year,
    "openinterest": open_interest_of_year,
}
_CACHE_BYTES = 512 * 1024 * 1024


class OptionRecordings:
    """A folder of recordings as a source of options; it holds nothing where there are no option folders."""

    limited_by_tier = False

    def __init__(self, root: Path) -> None:
        self._days: dict[tuple[str, date, What], Path] = {}
        self._years: dict[tuple[str, int, What], Path] = {}
        for tree in _TREES:
            self._days |= _day_files(root / tree / "usa")
            self._years |= _year_files(root / tree / "usa")
        self._chains: ByteCache[Path, ChainRows[Any]] = ByteCache(_CACHE_BYTES, lambda chain: chain.rows.bytes)
        self._read_once: dict[tuple[Callable[..., Any], Path], Any] = {}

    def roots(self) -> Sequence[str]:
        return sorted({root for root, _, _ in self._days} | {root for root, _, _ in self._years})

    def expirations(self, root: str) -> Sequence[date]:
        return sorted({contract.expiration for contract in self._all_contracts(root)})

    def strikes(self, root: str, expiration: date) -> Sequence[int]:
        every = self._all_contracts(root)
        return list({contract.strike_thousandths: None for contract in every if contract.expiration == expiration})

    def contracts(self, root: str, day: date, kind: Kind | None) -> Sequence[OptionContract]:
        if kind is not None:
            return self._listed(root, day, kind)
        kinds = (self._listed(root, day, what) for what in get_args(What))
        return list(dict.fromkeys([*chain.from_iterable(kinds), *self._reports(root, day)]))

    def dates(self, root: str, expiration: date, kind: Kind) -> Sequence[date]:
        days = {day for name, day, what in self._days if (name, what) == (root, kind)}
        years = [year for name, year, what in self._years if (name, what) == (root, kind)]
        days.update(*(self._year(root, year, kind) for year in years))
        return [day for day in sorted(days) if any(c.expiration == expiration for c in self._listed(root, day, kind))]

    def trades(self, contract: OptionContract, day: date) -> Trades | None:  # noqa: ARG002 -- no file has ticks
        return None

    def quotes(self, contract: OptionContract, day: date) -> Quotes | None:  # noqa: ARG002 -- no file has ticks
        return None

    def bars(self, contract: OptionContract, day: date, grid: Grid) -> Bars | None:
        rows = self._rows(trade_bar_chain, contract, day, "trade") if grid.interval_ms >= MINUTE_MS else None
        return None if rows is None else bars_of_bars(counted_by_volume(rows), grid)

    def quotes_at(self, contract: OptionContract, day: date, grid: Grid) -> Quotes | None:
        quotes = self._rows(quote_bar_chain, contract, day, "quote")
        return None if quotes is None else quotes_on_grid(quotes, grid)

    def eod(self, contract: OptionContract, day: date) -> Eod | None:
        return self._reports(contract.root, day).get(contract)

    def open_interest(self, contract: OptionContract, day: date) -> tuple[int, int] | None:
        return self._open_interest(contract.root, day).get(contract)

    def underlying(self, root: str, day: date) -> Underlying | None:  # noqa: ARG002 -- recordings give no greeks
        return None

    def _rows(
        self, parse: Callable[[Path, str], ChainRows[T]], contract: OptionContract, day: date, kind: Kind
    ) -> T | None:
        path = self._days.get((contract.root, day, kind))
        if path is None:
            return None
        # One path has one parser.
        held = cast(ChainRows[T], self._chains.get_or(path, lambda: parse(path, contract.root)))
        return held.of(contract)

    def _listed(self, root: str, day: date, what: What) -> Sequence[OptionContract]:
        path = self._days.get((root, day, what))
        return list(self._of_year(root, day, what)) if path is None else self._once(contracts_of, path, root)

    def _all_contracts(self, root: str) -> set[OptionContract]:
        files = chain(self._days.items(), self._years.items())
        return {contract for key, path in files if key[0] == root for contract in self._once(contracts_of, path, root)}

    def _reports(self, root: str, day: date) -> dict[OptionContract, Eod]:
        return self._of_year(root, day, "trade")

    def _open_interest(self, root: str, day: date) -> dict[OptionContract, tuple[int, int]]:
        path = self._days.get((root, day, "openinterest"))
        if path is None:
            return self._of_year(root, day, "openinterest")
        return self._once(open_interest_of_day, path, root)

    def _of_year(self, root: str, day: date, what: What) -> dict[OptionContract, Any]:
        return self._year(root, day.year, what).get(day, {})

    def _year(self, root: str, year: int, what: What) -> ByDay[Any]:
        path = self._years.get((root, year, what))
        return {} if path is None else self._once(_READ_YEAR[what], path, root)

    def _once(self, parse: Callable[[Path, str], V], path: Path, root: str) -> V:
        """What a small file holds; read when it is first asked for."""
        key = (parse, path)
        if key not in self._read_once:
            self._read_once[key] = parse(path, root)
        return cast(V, self._read_once[key])


def _day_files(tree: Path) -> dict[tuple[str, date, What], Path]:
    files = {}
    for path in tree.glob("minute/*/*.zip"):
        day, what, _ = _words(path, 2)
        if what in get_args(What):
            files[path.parent.name.upper(), day_of(day), cast(What, what)] = path
    return files


def _year_files(tree: Path) -> dict[tuple[str, int, What], Path]:
    files = {}
    for resolution, what in _YEARLY:
        for path in tree.glob(f"{resolution}/*_{what}_*.zip"):
            root, year, _, _ = _words(path, 3)
            files[root.upper(), int(year), what] = path
    return files


def _words(path: Path, underscores: int) -> list[str]:
    # Two files of the source end in `.zip.zip`.
    return path.name.removesuffix(".zip").removesuffix(".zip").rsplit("_", underscores)
