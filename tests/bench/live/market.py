"""A load market: the ticks of LOAD10, three quotes a trade, as one stock's or dealt to five; in the regular session."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

import numpy as np

from simulator.market import Quotes, Trades
from simulator.options.synthetic import SyntheticOptions
from simulator.sources import Kind
from simulator.sources.synthetic import Synthetic, u_shape
from simulator.stream.feeds import Day
from simulator.stream.requests import Subject, What
from simulator.stream.window import window
from stoculus.streams import StockFeed
from tests.bench.source import DAYS

DAY: Final = DAYS[0]
TICKERS: Final = tuple(f"TAPE{number}" for number in range(5))
ALONE: Final = "TAPE"


def _feeds(*tickers: str) -> tuple[StockFeed, ...]:
    return tuple(StockFeed(ticker=one, schema=kind) for one in tickers for kind in ("quote", "trade"))


FEEDS: Final = _feeds(*TICKERS)
"""A topic each: ten."""
FEEDS_ALONE: Final = _feeds(ALONE)
"""The same ticks on two topics."""
QUOTES_A_TRADE: Final = 3
_SOURCE: Final = "LOAD10"
ROWS_A_DAY: Final = 10_000_000
_OPEN_MS: Final = 34_200_000
_SESSION_S: Final = 23_400
_EVEN: Final = np.linspace(0, 1, 10_001)
_HEAD_BYTES: Final = 4
_ROUNDS: Final = 20


class LoadMarket(Synthetic):
    """The simulator's made-up market with the five stocks."""

    def symbols(self) -> Sequence[str]:
        return sorted([*super().symbols(), ALONE, *TICKERS])

    def dates(self, symbol: str, kind: Kind) -> Sequence[date]:
        return super().dates(_source_of(symbol), kind)

    def quotes(self, symbol: str, day: date) -> Quotes | None:
        rows = super().quotes(_source_of(symbol), day)
        return rows.rows(_dealt(symbol, 1)) if rows and _is_dealt(symbol) else rows

    def trades(self, symbol: str, day: date) -> Trades | None:
        rows = super().trades(_source_of(symbol), day)
        return rows.rows(_dealt(symbol, QUOTES_A_TRADE)) if rows and _is_dealt(symbol) else rows


def _source_of(symbol: str) -> str:
    return _SOURCE if _is_dealt(symbol) else symbol


def _is_dealt(symbol: str) -> bool:
    return symbol == ALONE or symbol in TICKERS


def _dealt(symbol: str, thinned: int) -> slice:
    if symbol == ALONE:
        return slice(None, None, thinned)
    return slice(TICKERS.index(symbol), None, thinned * len(TICKERS))


def first_frames(ticks: int) -> list[bytes]:
    """The messages of about so many of the day's first quotes and trades, as they come off the WebSocket."""
    market = LoadMarket()
    day = Day(DAY, market, SyntheticOptions(market), ())
    whats: tuple[What, ...] = ("QUOTE", "TRADE")
    feeds = [feed for one in TICKERS for what in whats for feed in day.feeds(Subject("STOCK", what, one), ohlc=True)]
    rate = sum(feed.left(_OPEN_MS - 1) - feed.left(_OPEN_MS + 60_000) for feed in feeds) / 60_000
    made = window(feeds, _OPEN_MS - 1, _OPEN_MS + round(ticks / rate), DAY)
    return list(_cut(bytes(made.bytes_of(0, len(made)))))


def _cut(data: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(data):
        body = place + _HEAD_BYTES
        place = body + int.from_bytes(data[place + 2 : body])
        yield data[body:place]


def speed_for(rate: float, at_s: float) -> float:
    """Market seconds a second that give a rate of quotes and trades, so many seconds after the open.

    The market calms down after its open (`simulator.sources.synthetic.u_shape`).
    """
    ticks = ROWS_A_DAY * (1 + 1 / QUOTES_A_TRADE)
    speed = 0.0
    for _ in range(_ROUNDS):
        span_s = np.array([0.0, 1.0]) + at_s * speed
        share_of_a_second = float(np.diff(np.interp(span_s / _SESSION_S, u_shape(_EVEN), _EVEN))[0])
        speed = rate / (ticks * share_of_a_second)
    return speed
