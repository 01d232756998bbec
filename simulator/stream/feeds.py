"""The ticks of a day of what is subscribed, as columns of the messages that they become."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Final

import numpy as np

from simulator.market import (
    SETS_HIGH,
    SETS_LAST,
    SETS_LAST_IF_FIRST,
    SETS_LOW,
    SETS_VOLUME,
    Ints,
    Quotes,
    Trades,
)
from simulator.options import OptionSource
from simulator.sources import Source
from simulator.stream.frames import MARKET_VALUE, OHLC, QUOTE, TRADE, Message
from simulator.stream.requests import Subject
from stoculus.instruments import OptionContract


class Kind(IntEnum):
    """What a row becomes. Of rows of the same millisecond those of the first kind come first."""

    QUOTE = 0
    VALUE = 1
    QUOTE_BAR_TRADE = 2
    BAR_TRADE = 3
    TRADE = 4


MESSAGES: Final[tuple[tuple[Message, ...], ...]] = (
    (QUOTE,),
    (MARKET_VALUE,),
    (QUOTE, OHLC, TRADE),
    (OHLC, TRADE),
    (TRADE,),
)
"""The messages of each kind."""
_AFTER_QUOTES: Final = 2
_HUGE: Final = 2**62
_WRAP: Final = 2**32


@dataclass(frozen=True, slots=True, eq=False)
class Feed:
    """At least one row of an instrument; `columns`: of the kind's messages, `ms` ascends, `contract` is JSON."""

    kind: Kind
    contract: str
    ms: Ints
    columns: tuple[Ints, ...]

    def left(self, after_ms: int) -> int:
        """How many rows come after the millisecond."""
        return len(self.ms) - int(self.ms.searchsorted(np.int64(after_ms), "right"))


@dataclass(frozen=True, slots=True)
class Day:
    """The day that is played, and where its ticks come from."""

    date: date
    stocks: Source
    options: OptionSource
    bulk_symbols: tuple[str, ...]

    def feeds(self, subject: Subject, *, ohlc: bool) -> tuple[Feed, ...]:
        """The feeds of a subscription; none where nothing is known of it."""
        if subject.security == "INDEX":
            return ()
        if subject.instrument is None:
            return tuple(feed for each in self._market(subject) for feed in self._bulk(each))
        instrument = subject.instrument
        if subject.what == "TRADE":
            trades = self._trades(instrument)
            made = [_of_trades(contract_json(instrument), trades, ohlc=ohlc)] if trades else []
        else:
            quotes = self._quotes(instrument)
            as_feed = _of_quotes if subject.what == "QUOTE" else _of_values
            made = [as_feed(contract_json(instrument), quotes)] if quotes else []
        return tuple(made)

    def _market(self, subject: Subject) -> Iterator[str | OptionContract]:
        """The whole market, which is the bulk symbols here."""
        for symbol in self.bulk_symbols:
            if subject.security == "STOCK":
                yield symbol
            else:
                yield from self.options.contracts(symbol, self.date, "trade")

    def _bulk(self, instrument: str | OptionContract) -> Iterator[Feed]:
        """Each trade behind the quote that stood; after an option's trade its next two quotes."""
        trades, quotes = self._trades(instrument), self._quotes(instrument)
        if not trades:
            return
        contract = contract_json(instrument)
        if not quotes:
            yield _of_trades(contract, trades, ohlc=True)
            return
        at = np.searchsorted(quotes.ms, trades.ms, "right") - 1
        with_ohlc = (*_quote_columns(quotes.rows(np.maximum(at, 0))), *bar_columns(trades), *trade_columns(trades))
        yield Feed(Kind.QUOTE_BAR_TRADE, contract, trades.ms.astype(np.int64), with_ohlc)
        if isinstance(instrument, OptionContract):
            after = np.unique((at[:, None] + np.arange(1, _AFTER_QUOTES + 1)).ravel())
            if next_ones := quotes.rows(after[after < len(quotes)]):
                yield _of_quotes(contract, next_ones)

    def _trades(self, instrument: str | OptionContract) -> Trades | None:
        source = self.options if isinstance(instrument, OptionContract) else self.stocks
        return source.trades(instrument, self.date)  # type: ignore[arg-type]

    def _quotes(self, instrument: str | OptionContract) -> Quotes | None:
        source = self.options if isinstance(instrument, OptionContract) else self.stocks
        return source.quotes(instrument, self.date)  # type: ignore[arg-type]


def contract_json(instrument: str | OptionContract) -> str:
    """The contract of an event (stream.md 3.4)."""
    if isinstance(instrument, str):
        return f'{{"security_type":"STOCK","root":"{instrument}"}}'
    return (
        f'{{"security_type":"OPTION","root":"{instrument.root}","expiration":{instrument.expiration:%Y%m%d},'
        f'"strike":{instrument.strike_thousandths},"right":"{"C" if instrument.right == "call" else "P"}"}}'
    )


def _of_quotes(contract: str, quotes: Quotes) -> Feed:
    return Feed(Kind.QUOTE, contract, quotes.ms.astype(np.int64), _quote_columns(quotes))


def _quote_columns(quotes: Quotes) -> tuple[Ints, ...]:
    return tuple(quotes.columns())


def _of_values(contract: str, quotes: Quotes) -> Feed:
    middle = (quotes.bid.astype(np.int64) + quotes.ask) // 2
    return Feed(Kind.VALUE, contract, quotes.ms.astype(np.int64), (quotes.ms, quotes.bid, quotes.ask, middle))


def _of_trades(contract: str, trades: Trades, *, ohlc: bool) -> Feed:
    ms = trades.ms.astype(np.int64)
    if ohlc:
        return Feed(Kind.BAR_TRADE, contract, ms, (*bar_columns(trades), *trade_columns(trades)))
    return Feed(Kind.TRADE, contract, ms, trade_columns(trades))


def trade_columns(trades: Trades) -> tuple[Ints, ...]:
    """Sequences are of 32 bits with a sign: beyond they wrap."""
    sequence = (trades.sequence.astype(np.int64) + _WRAP // 2) % _WRAP - _WRAP // 2
    return trades.ms, sequence, trades.size, trades.condition, trades.price, trades.exchange


@dataclass(frozen=True, slots=True)
class Bar:
    """A day's bar so far, in 1/10000 dollar; a price that is not set is 0."""

    open: int = 0
    high: int = 0
    low: int = 0
    close: int = 0
    volume: int = 0
    count: int = 0


def bar_columns(trades: Trades, before: Bar = Bar()) -> tuple[Ints, ...]:
    """The day's bar up to and with each trade (of one at least) by their conditions; `before`: up to the first.

    The columns of an OHLC message; zeros until a price is set.
    """
    condition, price = trades.condition, trades.price.astype(np.int64)
    sets_last = SETS_LAST[condition]
    eligible = np.flatnonzero(sets_last | SETS_LAST_IF_FIRST[condition])
    rows = np.arange(len(trades))
    first = -1 if before.open else int(eligible[0]) if len(eligible) else len(trades)
    opening = before.open or price[min(first, len(price) - 1)]
    last = np.maximum.accumulate(np.where(sets_last | (rows == first), rows, -1))
    high = np.maximum(np.maximum.accumulate(np.where(SETS_HIGH[condition], price, 0)), before.high)
    low = np.minimum(np.minimum.accumulate(np.where(SETS_LOW[condition], price, _HUGE)), before.low or _HUGE)
    counted = SETS_VOLUME[condition]
    return (
        trades.ms,
        np.where(rows >= first, opening, 0),
        high,
        np.where(low == _HUGE, 0, low),
        np.where(last >= 0, price[np.maximum(last, 0)], before.close),
        before.volume + np.cumsum(np.where(counted, trades.size.astype(np.int64), 0)),
        before.count + np.cumsum(counted),
    )
